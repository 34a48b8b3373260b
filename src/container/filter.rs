//! `--filter` of `ps`. Pure: what only the store knows (an image's id, a container's date) is
//! asked for once, before the first container is looked at.

#[cfg(test)]
mod tests;

use super::freezer::status_word;
use super::record::{ContainerRecord, Mounted, Status};
use super::store::Container;
use crate::config::port::Published;
use crate::volume::filter::{FilterError, Label, Name, by_key};

/// Docker's states; the last two are of what rrun does not do, so nothing is ever in them.
const STATES: [&str; 7] =
    ["created", "running", "exited", "paused", "restarting", "removing", "dead"];

/// How well a container is; without a check, which is always so here, `none`.
const HEALTHS: [&str; 4] = ["starting", "healthy", "unhealthy", "none"];

/// `80`, `80-90/udp`: a range of ports; without a protocol it is tcp.
#[derive(Debug)]
struct Ports {
    first: u16,
    last: u16,
    protocol: String,
}

impl Ports {
    fn parse(text: &str) -> Option<Self> {
        let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last).then(|| Self { first, last, protocol: protocol.to_lowercase() })
    }

    fn have(&self, port: &str) -> bool {
        Ports::parse(port).is_some_and(|port| {
            port.protocol == self.protocol && port.first <= self.last && self.first <= port.last
        })
    }
}

/// A port of the host: `8080/tcp`.
fn outer(port: &Published) -> String {
    format!("{}/{}", port.host, port.protocol.word())
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

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
    healths: Vec<String>,
    exposed: Vec<Ports>,
    published: Vec<Ports>,
    /// Is it of a swarm? Nothing here is.
    task: Option<bool>,
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
                "health" => {
                    check("health", &values, |value| HEALTHS.contains(&value).then_some(()))?;
                    filter.healths = values;
                }
                "expose" => filter.exposed = check("expose", &values, Ports::parse)?,
                "publish" => filter.published = check("publish", &values, Ports::parse)?,
                "is-task" => filter.task = check("is-task", &values, truth)?.pop(),
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
            && any(&self.states, |wanted| wanted == status_word(container))
            && self.labels.iter().all(|label| label.matches(&record.process.labels))
            && any(&self.volumes, |wanted| uses(record, wanted))
            && any(&self.networks, |wanted| *wanted == record.options.network.mode.word())
            && any(&self.exit_codes, |code| {
                state.status == Status::Exited && *code == state.exit_code
            })
            && any(&self.healths, |health| health == "none")
            && any(&self.exposed, |wanted| {
                let inner = state.ports.iter().map(Published::inner);
                inner.chain(record.process.exposed_ports.clone()).any(|port| wanted.have(&port))
            })
            && any(&self.published, |wanted| {
                state.ports.iter().any(|port| wanted.have(&outer(port)))
            })
            && self.task != Some(true)
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
