//! What `--log-opt` labels, env and tag add to each line of a log (`attrs`).

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::{Value, json};

use crate::container::record::ContainerRecord;
use crate::say::template::{Template, TemplateError};

/// Why an option adds nothing.
#[derive(Debug, thiserror::Error)]
pub enum AttributeError {
    /// A pattern that is none.
    #[error("{0}")]
    Pattern(#[from] regex_lite::Error),
    /// A tag that is no template, or names what there is not.
    #[error("{0}")]
    Tag(#[from] TemplateError),
}

/// Checks the options as far as no container is needed for it.
pub fn check(options: &BTreeMap<String, String>) -> Result<(), AttributeError> {
    for name in ["labels-regex", "env-regex"] {
        options.get(name).map(|pattern| Regex::new(pattern)).transpose()?;
    }
    options.get("tag").map(|tag| Template::parse(tag)).transpose()?;
    Ok(())
}

/// The attributes of every line of this container's log.
pub fn attributes(record: &ContainerRecord) -> Result<BTreeMap<String, String>, AttributeError> {
    let options = &record.options.log.options;
    let mut attributes = BTreeMap::new();
    let labels = record.process.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    choose(labels, (options, "labels"), &mut attributes)?;
    let env = record.process.env.iter().filter_map(|variable| variable.split_once('='));
    choose(env, (options, "env"), &mut attributes)?;
    if let Some(tag) = options.get("tag") {
        let tag = Template::parse(tag)?.render(&about(record))?;
        if !tag.is_empty() {
            attributes.insert("tag".into(), tag);
        }
    }
    Ok(attributes)
}

/// Takes the pairs that an option lists or whose names its pattern fits.
fn choose<'a>(
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
    (options, name): (&BTreeMap<String, String>, &str),
    attributes: &mut BTreeMap<String, String>,
) -> Result<(), AttributeError> {
    let listed: Vec<&str> = options.get(name).map_or(Vec::new(), |list| list.split(',').collect());
    let pattern = options.get(&format!("{name}-regex"));
    let pattern = pattern.map(|pattern| Regex::new(pattern)).transpose()?;
    let fits = |key: &str| pattern.as_ref().is_some_and(|pattern| pattern.is_match(key));
    for (key, value) in pairs {
        if listed.contains(&key) || fits(key) {
            attributes.insert(key.into(), value.into());
        }
    }
    Ok(())
}

/// What a tag can name, as Docker's.
fn about(record: &ContainerRecord) -> Value {
    let short = |id: &str| id.get(..12).unwrap_or(id).to_owned();
    let image = record.image_id.strip_prefix("sha256:").unwrap_or(&record.image_id);
    let words: Vec<&str> = record
        .process
        .entrypoint
        .iter()
        .chain(&record.process.command)
        .map(String::as_str)
        .collect();
    json!({
        "ID": short(&record.id),
        "FullID": record.id,
        "Name": record.name,
        "ImageID": short(image),
        "ImageFullID": record.image_id,
        "ImageName": record.options.image,
        "Command": words.join(" "),
        "DaemonName": "rrun",
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::container::testing::container;

    fn of(options: &[(&str, &str)]) -> Result<BTreeMap<String, String>, AttributeError> {
        let mut web = container("web", 'a', Path::new("/containers"));
        web.record.process.labels = [("tier", "front"), ("team", "a"), ("other", "b")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        web.record.process.env = vec!["STAGE=test".into(), "PATH=/bin".into()];
        web.record.options.log.options =
            options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        attributes(&web.record)
    }

    fn shown(options: &[(&str, &str)]) -> String {
        let pairs = of(options).unwrap();
        pairs.iter().map(|(key, value)| format!("{key}={value} ")).collect()
    }

    /// Lists and patterns of names; a tag is a template.
    #[test]
    fn choices() {
        assert_eq!(shown(&[]), "");
        assert_eq!(shown(&[("labels", "tier,absent"), ("env", "STAGE")]), "STAGE=test tier=front ");
        assert_eq!(shown(&[("labels-regex", "^te"), ("env-regex", "^P")]), "PATH=/bin team=a ");
        let id = "a".repeat(12);
        assert_eq!(shown(&[("tag", "{{.Name}}/{{.ID}}")]), format!("tag=web/{id} "));
        assert_eq!(shown(&[("tag", "{{.ImageName}} {{.DaemonName}}")]), "tag=alpine rrun ");
    }

    /// What is none is an error before the container runs, where that can be seen.
    #[test]
    fn refusals() {
        let options = |name: &str, value: &str| BTreeMap::from([(name.into(), value.into())]);
        assert!(check(&options("labels-regex", "(")).is_err());
        assert!(check(&options("tag", "{{.Name")).is_err());
        assert!(check(&options("tag", "{{.Name}}")).is_ok());
        assert!(of(&[("tag", "{{.Nope}}")]).is_err());
    }
}
