//! `-p`, `--network`.

use std::io::Read;
use std::net::{TcpListener, TcpStream};

use crate::bench::{Bench, kill, lives, until};
use crate::support::{Need, can_run};

/// A bench where pasta is.
fn bench(test: &str) -> Option<Bench> {
    if can_run(test, &[Need::Program("pasta")]) { Bench::new(test) } else { None }
}

/// Serves the word `hello` on port 80, again and again.
const SERVER: [&str; 5] =
    ["alpine", "sh", "-c", "while :; do echo hello | nc -l -p 80; done", "server"];

fn serve(bench: &Bench, options: &[&str]) -> u16 {
    let arguments = [&["run", "-d", "--name", "web"], options, &SERVER].concat();
    bench.ok(&arguments);
    let told = bench.ok(&["port", "web", "80"]);
    told.rsplit_once(':').unwrap().1.parse().unwrap()
}

fn hears_hello(port: u16) -> bool {
    let mut said = String::new();
    TcpStream::connect(("127.0.0.1", port))
        .and_then(|mut stream| stream.read_to_string(&mut said))
        .is_ok_and(|_| said == "hello\n")
}

/// A port of the host leads into the container, is shown, and is free again when it has ended.
#[test]
fn publish() {
    let Some(bench) = bench("network::publish") else { return };
    let port = serve(&bench, &["-p", "127.0.0.1::80"]);
    until("it answers", || hears_hello(port));
    let shown = format!("127.0.0.1:{port}->80/tcp");
    assert!(bench.ok(&["ps"]).contains(&shown));
    assert_eq!(bench.ok(&["port", "web"]), format!("80/tcp -> 127.0.0.1:{port}"));
    let seen = bench.inspect("web");
    assert_eq!(seen["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"], port.to_string());
    let again = format!("127.0.0.1:{port}:80");
    let said = bench.fails(125, &["run", "--rm", "-p", &again, "alpine", "true"]);
    assert!(said.contains("port is already allocated"), "{said}");
    assert!(bench.fails(1, &["port", "web", "81"]).contains("no public port '81/tcp'"));
    bench.ok(&["rm", "-f", "web"]);
    assert!(TcpListener::bind(("127.0.0.1", port)).is_ok(), "the port is free again");
}

/// The supervisor is killed: what connects the container goes, too.
#[test]
fn the_supervisor_is_killed() {
    let Some(bench) = bench("network::the_supervisor_is_killed") else { return };
    let port = serve(&bench, &["-p", "127.0.0.1::80"]);
    let (pid, supervisor) = (bench.pid("web"), bench.supervisor("web"));
    kill(supervisor);
    until("the container ends", || !lives(pid));
    until("the port is free", || TcpListener::bind(("127.0.0.1", port)).is_ok());
    assert_eq!(bench.state("web"), "exited");
}

/// container:NAME: one network for both; one that does not run has none to share.
#[test]
fn of_another_container() {
    let Some(bench) = Bench::new("network::of_another_container") else { return };
    bench.ok(&["run", "-d", "--name", "one", "alpine", "sleep", "1000"]);
    let script = ["alpine", "readlink", "/proc/self/ns/net"];
    let joined = bench.ok(&[&["run", "--rm", "--network", "container:one"][..], &script].concat());
    let own = std::fs::read_link(format!("/proc/{}/ns/net", bench.pid("one"))).unwrap();
    assert_eq!(joined, own.to_str().unwrap());
    bench.ok(&["kill", "one"]);
    bench.ok(&["wait", "one"]);
    let said =
        bench.fails(125, &[&["run", "--rm", "--network", "container:one"][..], &script].concat());
    assert!(said.contains("cannot join network of a non running container"), "{said}");
}

/// Without options there is a loopback and nothing else.
#[test]
fn none() {
    let Some(bench) = Bench::new("network::none") else { return };
    let seen = bench.ok(&["run", "--rm", "alpine", "ls", "/sys/class/net"]);
    assert_eq!(seen, "lo");
    assert!(bench.fails(125, &["run", "--network", "nosuch", "alpine"]).contains("not found"));
    assert!(bench.fails(125, &["run", "-p", "abc:80", "alpine"]).contains("invalid hostPort: abc"));
}
