//! What a registry wants to see before it serves: the header `WWW-Authenticate`.

/// One way to be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// Name and password with each request.
    Basic,
    /// A token, to be had elsewhere.
    Bearer(Bearer),
}

/// Where a token is to be had, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bearer {
    /// The address of the token server.
    pub realm: String,
    /// Who will check the token.
    pub service: String,
    /// What the token shall allow: `repository:library/alpine:pull`.
    pub scope: String,
}

/// Reads one header; schemes that nobody here knows are left out.
pub fn parse(header: &str) -> Vec<Challenge> {
    let mut found = Vec::new();
    let mut words = Words { rest: header };
    let mut scheme = words.token();
    while !scheme.is_empty() {
        let mut bearer = Bearer::default();
        let next = loop {
            let name = words.token();
            if !words.take('=') {
                // No parameter: the next scheme, or the end.
                break name;
            }
            let value = words.value();
            match name.to_ascii_lowercase().as_str() {
                "realm" => bearer.realm = value,
                "service" => bearer.service = value,
                "scope" => bearer.scope = value,
                _ => {}
            }
        };
        match scheme.to_ascii_lowercase().as_str() {
            "basic" => found.push(Challenge::Basic),
            "bearer" => found.push(Challenge::Bearer(bearer)),
            _ => {}
        }
        scheme = next;
    }
    found
}

struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    /// The next word; commas and blanks before it are passed over.
    fn token(&mut self) -> &'a str {
        let start = self.rest.trim_start_matches([',', ' ', '\t']);
        let end = start.find(['=', ',', ' ', '\t', '"']).unwrap_or(start.len());
        let (word, rest) = start.split_at(end);
        self.rest = rest;
        word
    }

    fn take(&mut self, wanted: char) -> bool {
        let rest = self.rest.trim_start_matches([' ', '\t']);
        match rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A bare word, or a text in quotes.
    fn value(&mut self) -> String {
        if !self.take('"') {
            return self.token().to_owned();
        }
        let mut text = String::new();
        let mut letters = self.rest.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '"' => break,
                '\\' => text.extend(letters.next()),
                letter => text.push(letter),
            }
        }
        self.rest = letters.as_str();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: &str, scope: &str) -> Challenge {
        let (realm, service, scope) = (realm.into(), service.into(), scope.into());
        Challenge::Bearer(Bearer { realm, service, scope })
    }

    /// What registries send, and what they might.
    #[test]
    fn headers() {
        let cases = [
            ("Basic realm=\"r\"", vec![Challenge::Basic]),
            ("basic", vec![Challenge::Basic]),
            (
                "Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:x/y:pull,push\"",
                vec![bearer("https://a/t", "s", "repository:x/y:pull,push")],
            ),
            ("BEARER Realm = r , scope=x", vec![bearer("r", "", "x")]),
            ("Negotiate, Basic realm=\"a, b\"", vec![Challenge::Basic]),
            ("Bearer realm=\"a\\\"b\"", vec![bearer("a\"b", "", "")]),
            ("Bearer realm=\"a", vec![bearer("a", "", "")]),
            ("Digest nonce=\"x\"", vec![]),
            ("", vec![]),
            ("=,=\"", vec![]),
        ];
        for (header, wanted) in cases {
            assert_eq!(parse(header), wanted, "{header}");
        }
    }
}
