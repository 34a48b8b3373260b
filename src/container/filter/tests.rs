//! `ps --filter`: which containers match, and what is no filter.

use std::convert::Infallible;
use std::path::Path;

use super::*;
use crate::container::record::Ownership;
use crate::container::testing::{container, resolved, volume_flag, volume_mount};

fn parse(texts: &[&str]) -> Result<ContainerFilter, FilterError> {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    ContainerFilter::parse(&texts)
}

/// Three containers: `web` runs, `db` has ended with 7, `job` was only created.
fn containers() -> Vec<Container> {
    let mut all: Vec<Container> = [("web", 'a'), ("db", 'b'), ("job", 'c')]
        .map(|(name, digit)| container(name, digit, Path::new("/containers")))
        .into();
    for (at, one) in all.iter_mut().enumerate() {
        one.record.created = format!("2024-01-0{}T00:00:00.000000000Z", at + 1);
    }
    all[0].state.status = Status::Running;
    all[0].record.process.exposed_ports = vec!["80/tcp".into()];
    all[0].state.ports = crate::config::port::parse("8080:443").unwrap();
    all[0].record.process.labels.insert("tier".into(), "front".into());
    all[0].record.mounts.push(volume_mount("data", Ownership::Named));
    all[1].state.status = Status::Exited;
    all[1].state.exit_code = 7;
    all[1].record.image_id = "sha256:other".into();
    all[1].record.mounts.push(resolved(&volume_flag("/srv:/www")));
    all
}

fn names(texts: &[&str]) -> String {
    let image = |name: &str| Ok::<_, Infallible>((name == "alpine").then(|| "sha256:image".into()));
    let created = |name: &str| {
        let all = containers();
        let found = all.iter().find(|c| c.record.name.as_str() == name);
        Ok(found.map(|c| c.record.created.clone()).unwrap_or_default())
    };
    let filter = parse(texts).unwrap().resolve(image, created).unwrap();
    let matching: Vec<String> = containers()
        .iter()
        .filter(|container| filter.matches(container))
        .map(|container| container.record.name.to_string())
        .collect();
    matching.join(" ")
}

/// Different keys must all match; of one key's values one is enough, of labels all.
#[test]
fn matching() {
    let cases: [(&[&str], &str); 35] = [
        (&[], "web db job"),
        (&["health=none"], "web db job"),
        (&["health=healthy"], ""),
        (&["expose=80"], "web"),
        (&["expose=70-90/tcp"], "web"),
        (&["expose=80/udp"], ""),
        (&["publish=80"], ""),
        (&["publish=8000-8090"], "web"),
        (&["expose=443"], "web"),
        (&["is-task=true"], ""),
        (&["is-task=false"], "web db job"),
        (&["name=b"], "web db job"),
        (&["name=e"], "web"),
        (&["name=^db$"], "db"),
        (&["name=^/web"], "web"),
        (&["name=web", "name=job"], "web job"),
        (&["id=aaa"], "web"),
        (&["status=running"], "web"),
        (&["status=exited", "status=created"], "db job"),
        (&["status=paused"], ""),
        (&["exited=7"], "db"),
        (&["exited=0"], ""),
        (&["label=tier"], "web"),
        (&["label=tier=front"], "web"),
        (&["label=tier", "label=none"], ""),
        (&["volume=data"], "web"),
        (&["volume=/data"], "web"),
        (&["volume=/srv"], "db"),
        (&["ancestor=alpine"], "web job"),
        (&["ancestor=nope"], ""),
        (&["before=db"], "web"),
        (&["since=db"], "job"),
        (&["network=none", "name=web"], "web"),
        (&["network=host"], ""),
        (&["name=web", "status=exited"], ""),
    ];
    for (texts, want) in cases {
        assert_eq!(names(texts), want, "{texts:?}");
    }
}

/// V4.19's words, for containers.
#[test]
fn refusals() {
    let cases = [
        ("foo=1", "invalid filter 'foo'"),
        ("foo", "bad format of filter (expected name=value)"),
        ("status=up", "invalid filter 'status=[up]'"),
        ("exited=x", "invalid filter 'exited=[x]'"),
    ];
    for (text, want) in cases {
        assert_eq!(parse(&[text]).unwrap_err().to_string(), want);
    }
}
