//! Random mount lists: what the model of a plan says against what the kernel shows.
//!
//! Each list follows from its number, so that a failure can be seen again:
//! `RRUN_MODEL_LISTS=17..18 cargo test --test root model`.

use std::collections::BTreeSet;

use rrun::config::cgroup::path::CgroupPath;
use rrun::config::mount_option::attribute as a;
use rrun::config::path::RootPath;
use rrun::engine::bundle::{Bundle as Plannable, Surroundings, plan_of};
use rrun::facts::Kernel;
use rrun::plan::model::mount::{ExpectedMount, HostMount, Peers, Seen};
use rrun::plan::model::{ModelError, outcome};
use serde_json::{Value, json};

use crate::harness::Bundle;
use crate::need;
use crate::support::Need;

/// xorshift64*: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap() % limit
    }

    fn one<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    fn some<'a>(&mut self, list: &[&'a str], most: usize) -> Vec<&'a str> {
        (0..self.below(most + 1)).map(|_| self.one(list)).collect()
    }
}

const FLAGS: [&str; 14] = [
    "ro",
    "rw",
    "nosuid",
    "suid",
    "nodev",
    "dev",
    "noexec",
    "exec",
    "noatime",
    "strictatime",
    "relatime",
    "nodiratime",
    "diratime",
    "nosymfollow",
];
const BELOW: [&str; 6] = ["rro", "rrw", "rnosuid", "rsuid", "rnoexec", "rnoatime"];
const WORDS: [&str; 8] =
    ["private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable"];
/// The script makes these in every file system of the test, wherever it is mounted, so that a
/// place is there on read-only ones, too.
const PLACES: [&str; 5] = ["/t0", "/t0/x", "/t0/x/y", "/t1", "/t1/z"];
const SOURCES: [&str; 5] = ["src", "src/t0", "src/t0/x", "src/t1", "src/t1/z"];

/// The host's side: a tree of mounts to bind from, one of them perhaps in the root.
fn host_script(random: &mut Random) -> String {
    let make = "make() { mkdir -p $1/{t0,t1,x,y,z}/{x,y,z}/{x,y,z}/{x,y,z}; }\n";
    let mut script = format!("set -e\n{make}make $B/rootfs\nmkdir $B/src\n");
    // No unbindable one: kernels differ in whether the child's copy of it still is.
    let kinds = ["private", "private", "shared", "slave"];
    let mut mount = |random: &mut Random, place: &str, kinds: &[&str]| {
        let flags = ["rw", "nosuid", "nodev", "noexec", "noatime", "strictatime", "nosymfollow"];
        let flags = random.some(&flags, 3).join(",");
        let kind = random.one(kinds);
        script += &format!("mount -t tmpfs -o mode=755,{flags} t {place}; make {place}\n");
        script += &format!("mount --make-{kind} {place}\n");
        if random.below(4) == 0 {
            script += &format!("mount -o remount,bind,ro,{flags} {place}\n");
        }
    };
    mount(random, "$B/src", &kinds);
    for place in ["$B/src/t0/x", "$B/src/t1"] {
        if random.below(3) > 0 {
            mount(random, place, &kinds);
        }
    }
    if random.below(4) == 0 {
        mount(random, "$B/rootfs/t1", &kinds[..3]);
    }
    script
}

fn container_mount(random: &mut Random, bundle: &Bundle) -> Value {
    let target = random.one(&PLACES);
    let mut options = random.some(&FLAGS, 3);
    let words = random_words(random);
    options.extend(random.some(&WORDS, words));
    let kind = random.below(10);
    if kind < 3 {
        options.push("mode=755");
        return json!({
            "destination": target, "type": "tmpfs", "source": "t", "options": options,
        });
    }
    options.push(random.one(&["bind", "rbind"]));
    options.extend(random.some(&BELOW, 1));
    let in_root = kind > 7;
    // A place further down may be missing: a new tmpfs is empty.
    let source = random.one(if in_root { &["rootfs/t0", "rootfs/t1"] } else { &SOURCES });
    let source = bundle.text(source);
    let mut mount = json!({
        "destination": target, "type": "bind", "source": source, "options": options,
    });
    if !in_root && random.below(6) == 0 {
        let rows = json!([{"containerID": 0, "hostID": 1000, "size": 65536}]);
        mount["uidMappings"] = rows.clone();
        mount["gidMappings"] = rows;
        mount["options"].as_array_mut().unwrap().push(json!(random.one(&["idmap", "ridmap"])));
    }
    mount
}

/// Most mounts have no word of propagation, some have two.
fn random_words(random: &mut Random) -> usize {
    [0, 0, 0, 1, 1, 2][random.below(6)]
}

/// A line of mountinfo as the model has mounts.
fn seen(line: &str) -> (u32, u32, RootPath, Seen) {
    let (mine, other) = line.split_once(" - ").unwrap();
    let fields: Vec<&str> = mine.split(' ').collect();
    let has = |flag: &str| fields[5].split(',').any(|word| word == flag);
    let bits = [
        ("ro", a::RDONLY),
        ("nosuid", a::NOSUID),
        ("nodev", a::NODEV),
        ("noexec", a::NOEXEC),
        ("noatime", a::NOATIME),
        ("nodiratime", a::NODIRATIME),
        ("nosymfollow", a::NOSYMFOLLOW),
    ];
    let mut attributes = bits.iter().filter(|(name, _)| has(name)).map(|(_, bit)| bit).sum();
    if !has("noatime") && !has("relatime") {
        attributes |= a::STRICTATIME;
    }
    let marked = |mark: &str| fields[6..].iter().any(|field| field.starts_with(mark));
    let peers = Peers {
        shared: marked("shared:"),
        slave: marked("master:"),
        unbindable: marked("unbindable"),
    };
    let filesystem = other.split(' ').next().map(str::to_owned);
    let mount = Seen { filesystem, attributes, peers, idmapped: has("idmapped") };
    (fields[0].parse().unwrap(), fields[1].parse().unwrap(), RootPath::clean(fields[4]), mount)
}

fn host_mounts(table: &str) -> Vec<HostMount> {
    let mount = |line| {
        let (id, parent, point, mount) = seen(line);
        HostMount { id, parent, point, mount }
    };
    table.lines().map(mount).collect()
}

/// What the model and the kernel do not agree on.
fn differences(expected: &[ExpectedMount], table: &str) -> Vec<String> {
    let mut left: Vec<(RootPath, Seen)> = table
        .lines()
        .map(|line| {
            let (_, _, path, mount) = seen(line);
            (path, mount)
        })
        .collect();
    let mut found = Vec::new();
    for entry in expected {
        let same = |(path, mount): &(RootPath, Seen)| {
            *path == entry.path
                && (*mount == entry.mount
                    || entry.mount.filesystem.is_none() && entry.if_target_exists)
        };
        match left.iter().position(same) {
            Some(at) => drop(left.remove(at)),
            None if entry.if_target_exists => {}
            None => found.push(format!("the model has {entry:?}")),
        }
    }
    found.extend(left.into_iter().map(|mount| format!("the kernel has {mount:?}")));
    found
}

/// What came of one list.
#[derive(Debug, PartialEq, Eq)]
enum Compared {
    Alike,
    /// Both refuse to clone an unbindable mount, or to put it below a shared one.
    BothRefuse,
    /// The model does not follow events between peers, nor know what is in a file system: a place
    /// may be missing on a read-only one.
    Skipped,
}

fn compare(number: u64) -> Compared {
    let mut random = Random(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut bundle = Bundle::new();
    let script = host_script(&mut random);
    bundle.config["mounts"] = json!([{"destination": "/proc", "type": "proc", "source": "proc"}]);
    if random.below(3) == 0 {
        bundle.config["linux"]["rootfsPropagation"] = json!(random.one(&WORDS));
    }
    bundle.config["root"]["readonly"] = json!(random.below(2) == 0);
    for _ in 0..1 + random.below(6) {
        let mount = container_mount(&mut random, &bundle);
        bundle.mount(mount);
    }
    bundle.args(&["cat", "/proc/self/mountinfo"]);
    let ended = bundle.host(&format!("{script}cat /proc/self/mountinfo > $B/host\n$RUN"));
    let host = host_mounts(&std::fs::read_to_string(bundle.path("host")).unwrap());
    let told = || format!("list {number}\n{script}{:#}", bundle.config["mounts"]);
    if ended.status == 1 && ended.err.contains("mkdirat: Read-only file system") {
        return Compared::Skipped;
    }
    match outcome(&plan(&bundle), &host) {
        Ok(expected) => {
            assert_eq!(ended.status, 0, "{}\n{}", ended.err, told());
            let found = differences(&expected, &ended.out);
            assert!(found.is_empty(), "{}\n{}\n{}", found.join("\n"), ended.out, told());
            Compared::Alike
        }
        Err(ModelError::Unbindable { step }) => {
            assert_eq!(ended.status, 1, "the model refuses step {step}\n{}", told());
            let wanted = format!("step {step} of");
            assert!(ended.err.contains(&wanted), "not {wanted}: {}\n{}", ended.err, told());
            Compared::BothRefuse
        }
        Err(ModelError::Events { .. }) => Compared::Skipped,
        Err(error) => panic!("{error}\n{}", told()),
    }
}

/// The plan that rrun-oci makes of the bundle.
fn plan(bundle: &Bundle) -> rrun::plan::Plan {
    let spec = serde_json::from_value(bundle.config.clone()).unwrap();
    let plannable = Plannable::new(bundle.path("").canonicalize().unwrap(), spec);
    let surroundings = Surroundings {
        kernel: Kernel::probe().unwrap(),
        cgroup: CgroupPath::of_oci_id(&"model".parse().unwrap()),
        seccomp_cache: &bundle.path("no-filter"),
    };
    plan_of(&plannable, surroundings).unwrap()
}

/// Flags, recursion, nesting, propagation, mappings: the model and the kernel say the same.
#[test]
fn the_model_agrees_with_the_kernel() {
    need!(Need::Root);
    let asked = std::env::var("RRUN_MODEL_LISTS").unwrap_or("0..60".into());
    let (from, to) = asked.split_once("..").unwrap();
    let numbers = from.parse::<u64>().unwrap()..to.parse().unwrap();
    let (mut alike, mut refused, mut skipped) = (0, 0, BTreeSet::new());
    for number in numbers.clone() {
        match compare(number) {
            Compared::Alike => alike += 1,
            Compared::BothRefuse => refused += 1,
            Compared::Skipped => drop(skipped.insert(number)),
        }
    }
    println!("{alike} alike, {refused} refused by both, {} not followed", skipped.len());
    // A model that skips most lists would agree with anything.
    assert!(numbers.count() < 60 || alike >= 45, "{alike} {refused} {skipped:?}");
}
