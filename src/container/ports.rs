//! Published ports in Docker's shapes: as asked for, as they are, as `ps` lists them.

use serde_json::{Map, Value, json};

use super::record::{ContainerRecord, ContainerState};
use crate::config::port::Published;

/// HostConfig.PortBindings: as asked for.
pub fn bindings(ports: &[Published]) -> Value {
    let shown = |port: &Published| {
        let host = if port.host == 0 { String::new() } else { port.host.to_string() };
        let address = port.address.map(|address| address.to_string()).unwrap_or_default();
        json!({"HostIp": address, "HostPort": host})
    };
    by_inner(ports, shown).into()
}

/// NetworkSettings.Ports: as they are while it runs; those that the image names are null.
pub fn settings(record: &ContainerRecord, state: &ContainerState) -> Value {
    let mut all = Map::new();
    if state.pid != 0 {
        all.extend(record.process.exposed_ports.iter().map(|port| (port.clone(), Value::Null)));
        all.extend(by_inner(
            &state.ports,
            |port| json!({"HostIp": port.shown_address(), "HostPort": port.host.to_string()}),
        ));
    }
    all.sort_keys();
    all.into()
}

fn by_inner(ports: &[Published], shown: impl Fn(&Published) -> Value) -> Map<String, Value> {
    let mut all = Map::new();
    for port in ports {
        let list = all.entry(port.inner()).or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.push(shown(port));
        }
    }
    all
}

/// The column PORTS: `0.0.0.0:8080->80/tcp, 443/tcp`.
pub fn listed(record: &ContainerRecord, state: &ContainerState) -> String {
    let inner = |port: &String| state.ports.iter().all(|published| published.inner() != *port);
    let exposed = record.process.exposed_ports.iter().filter(|port| inner(port)).cloned();
    state.ports.iter().map(ToString::to_string).chain(exposed).collect::<Vec<_>>().join(", ")
}
