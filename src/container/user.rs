//! `-u`: who the process is, by the container's own passwd and group (V12.05).

use std::os::fd::AsFd;

use super::error::ContainerError;
use crate::facts::passwd::{self, Group, User};

/// Ids, groups and home of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// The home directory, `/` for a user that passwd does not know.
    pub home: String,
}

/// Finds out who `text` means in the tree below `root`.
pub fn identify(root: impl AsFd, text: &str) -> Result<Identity, ContainerError> {
    let users: Vec<User> = passwd::read_in_root(&root, "/etc/passwd")
        .map(|text| passwd::users(&text).collect())
        .unwrap_or_default();
    let groups: Vec<Group> = passwd::read_in_root(&root, "/etc/group")
        .map(|text| passwd::groups(&text).collect())
        .unwrap_or_default();
    resolve(text, &users, &groups)
}

/// A number is an id, never a name: a passwd line `1000:x:0:0` gives nobody root (CVE-2016-3697).
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn resolve(text: &str, users: &[User], groups: &[Group]) -> Result<Identity, ContainerError> {
    let (user_text, group_text) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (text, None),
    };
    let user_text = if user_text.is_empty() { "0" } else { user_text };
    let no_user = || ContainerError::NoUser(user_text.into());
    in_range(user_text)?;
    let known = match number(user_text) {
        Some(uid) => users.iter().find(|user| user.uid == uid),
        None => Some(users.iter().find(|user| user.name == user_text).ok_or_else(no_user)?),
    };
    let uid = match known {
        Some(user) => user.uid,
        None => number(user_text).ok_or_else(no_user)?,
    };
    let (gid, supplementary) = match group_text {
        Some(group) => (group_id(group, groups)?, Vec::new()),
        None => {
            let member =
                |group: &&Group| known.is_some_and(|user| group.members.contains(&user.name));
            let ids = groups.iter().filter(member).map(|group| group.gid).collect();
            (known.map_or(0, |user| user.gid), ids)
        }
    };
    let home = known.map(|user| user.home.clone()).filter(|home| !home.is_empty());
    Ok(Identity { uid, gid, groups: supplementary, home: home.unwrap_or_else(|| "/".into()) })
}

/// The kernel has more ids, but takes the last for "as it is"; Docker stops at half of them.
fn in_range(text: &str) -> Result<(), ContainerError> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match number(text) {
        Some(..=0x7fff_ffff) => Ok(()),
        _ if is_number => Err(ContainerError::IdRange),
        _ => Ok(()),
    }
}

fn group_id(text: &str, groups: &[Group]) -> Result<u32, ContainerError> {
    in_range(text)?;
    if let Some(gid) = number(text) {
        return Ok(gid);
    }
    let known = groups.iter().find(|group| group.name == text).map(|group| group.gid);
    known.ok_or_else(|| ContainerError::NoGroup(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No id that the kernel takes for "as it is", neither of a user nor of a group.
    #[test]
    fn ids_out_of_range() {
        for text in
            ["4294967295", "2147483648", "0:4294967295", "99999999999999999999", ":4294967295"]
        {
            let told = resolve(text, &[], &[]).map_err(|e| e.to_string()).err();
            let want = "uids and gids must be in range 0-2147483647";
            assert_eq!(told.as_deref(), Some(want), "{text}");
        }
        assert!(resolve("2147483647:2147483647", &[], &[]).is_ok());
    }

    /// V12.05, CVE-2026-30892: the forms of `-u`, and those that are none.
    #[test]
    fn forms() {
        let passwd = "root:x:0:0:r:/root:\napp:x:1000:1001:a:/home/app:\n1000:x:0:0::/:\n";
        let users: Vec<User> = passwd::users(passwd).collect();
        let groups: Vec<Group> = passwd::groups("root:x:0:\nextra:x:2000:app,root\n").collect();
        let cases = [
            ("", Some((0, 0, vec![2000], "/root"))),
            ("app", Some((1000, 1001, vec![2000], "/home/app"))),
            ("1000", Some((1000, 1001, vec![2000], "/home/app"))),
            ("app:extra", Some((1000, 2000, vec![], "/home/app"))),
            ("7", Some((7, 0, vec![], "/"))),
            ("7:8", Some((7, 8, vec![], "/"))),
            (":8", Some((0, 8, vec![], "/root"))),
            ("1:", Some((1, 0, vec![], "/"))),
            ("4294967296", None),
            ("-1", None),
            ("nobody-here", None),
            ("0:nogroup", None),
        ];
        for (text, want) in cases {
            let got = resolve(text, &users, &groups).ok();
            let got = got.as_ref().map(|i| (i.uid, i.gid, i.groups.clone(), i.home.as_str()));
            assert_eq!(got, want, "{text:?}");
        }
    }
}
