//! `--filter` of `ps`. Pure: what only the store knows (an image's id, a container's date) is
//! asked for once, before the first container is looked at.

#[cfg(test)]
mod tests;

use super::record::{ContainerRecord, Mounted, Status};
use super::store::Container;
use crate::volume::filter::{FilterError, Label, Name, by_key};

/// Docker's states; the last four are of what rrun does not do, so nothing is ever in them.
const STATES: [&str; 7] =
    ["created", "running", "exited", "paused", "restarting", "removing", "dead"];

/// Which containers are listed.
#[derive(Debug, Default)]
pub struct ContainerFilter {
    ids: Vec<Name>,
    names: Vec<Name>,
    states: Vec<String>,
    labels: Vec<Label>,
    volumes: Vec<String>,
    networks: Vec<String>,
    exit_codes: Vec<u8>,
    /// Names of images, then their ids.
    ancestors: Option<Vec<String>>,
    /// Names of containers, then their dates.
    before: Vec<String>,
    since: Vec<String>,
}

impl ContainerFilter {
    /// Reads the filters.
    pub fn parse(texts: &[String]) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        let names = |values: &[String]| values.iter().map(|value| Name::parse(value)).collect();
        for (key, values) in by_key(texts)? {
            match key.as_str() {
                "id" => filter.ids = names(&values),
                "name" => filter.names = names(&values),
                "status" => {
                    check("status", &values, |value| STATES.contains(&value).then_some(()))?;
                    filter.states = values;
                }
                "label" => filter.labels = values.iter().map(|v| Label::parse(v)).collect(),
                "volume" => filter.volumes = values,
                "network" => filter.networks = values,
                "exited" => {
                    filter.exit_codes = check("exited", &values, |value| value.parse().ok())?;
                }
                "ancestor" => filter.ancestors = Some(values),
                "before" => filter.before = values,
                "since" => filter.since = values,
                _ => return Err(FilterError::Key(key)),
            }
        }
        Ok(filter)
    }

    /// Replaces names by what they stand for: an image's id, the date of a container.
    pub fn resolve<E>(
        mut self,
        image_id: impl Fn(&str) -> Result<Option<String>, E>,
        created: impl Fn(&str) -> Result<String, E>,
    ) -> Result<Self, E> {
        if let Some(ancestors) = &mut self.ancestors {
            let ids: Result<Vec<Option<String>>, E> =
                ancestors.iter().map(|name| image_id(name)).collect();
            *ancestors = ids?.into_iter().flatten().collect();
        }
        for name in self.before.iter_mut().chain(&mut self.since) {
            *name = created(name)?;
        }
        Ok(self)
    }

    /// Does it ask for containers that do not run?
    pub fn asks_for_stopped(&self) -> bool {
        !self.states.is_empty()
    }

    /// Is the container listed? Keys must all match; of several values one, of labels all.
    pub fn matches(&self, container: &Container) -> bool {
        let Container { record, state, .. } = container;
        let name = record.name.as_str();
        any(&self.ids, |wanted| wanted.matches(&record.id))
            && any(&self.names, |wanted| {
                wanted.matches(name) || wanted.matches(&format!("/{name}"))
            })
            && any(&self.states, |wanted| wanted == state.status.word())
            && self.labels.iter().all(|label| label.matches(&record.process.labels))
            && any(&self.volumes, |wanted| uses(record, wanted))
            && any(&self.networks, |wanted| *wanted == record.options.network.mode.word())
            && any(&self.exit_codes, |code| {
                state.status == Status::Exited && *code == state.exit_code
            })
            && self.ancestors.as_ref().is_none_or(|ids| ids.contains(&record.image_id))
            && any(&self.before, |date| record.created < *date)
            && any(&self.since, |date| record.created > *date)
    }
}

/// No values, no condition.
fn any<T>(values: &[T], matches: impl Fn(&T) -> bool) -> bool {
    values.is_empty() || values.iter().any(matches)
}

fn check<T>(
    key: &'static str,
    values: &[String],
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, FilterError> {
    let read: Option<Vec<T>> = values.iter().map(|value| read(value)).collect();
    read.ok_or_else(|| FilterError::Value { key, values: values.join(" ") })
}

/// Does a container mount this volume, or this path of the host, or something at this target?
fn uses(record: &ContainerRecord, wanted: &str) -> bool {
    record.mounts.iter().any(|mount| {
        let source = match &mount.what {
            Mounted::Volume { name, .. } => name.to_string(),
            Mounted::Bind { source, .. } => source.to_string(),
            Mounted::Tmpfs { .. } | Mounted::Image { .. } => String::new(),
        };
        mount.target.as_str() == wanted || source == wanted
    })
}
