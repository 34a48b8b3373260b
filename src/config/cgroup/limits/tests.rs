//! Tables: what a config is written as.

use std::path::PathBuf;

use super::super::resources::writes;
use super::*;
use crate::config::cgroup::layout::{Hierarchy, Unified};

fn place(name: &str) -> Hierarchy {
    Hierarchy { mount: PathBuf::from(name), own: PathBuf::new() }
}

fn v1() -> CgroupHost {
    let names =
        ["memory", "cpu", "cpuset", "pids", "blkio", "hugetlb", "net_cls", "net_prio", "rdma"];
    let v1 = names.iter().map(|name| ((*name).to_owned(), place(name))).collect();
    CgroupHost { v1, unified: None }
}

fn v2() -> CgroupHost {
    let names = ["memory", "cpu", "cpuset", "pids", "io", "hugetlb", "rdma"];
    let controllers = names.iter().map(|name| (*name).to_owned()).collect();
    let unified = Some(Unified { hierarchy: place("/c"), controllers });
    CgroupHost { unified, ..CgroupHost::default() }
}

fn resources(text: &serde_json::Value) -> LinuxResources {
    serde_json::from_value(text.clone()).unwrap()
}

fn said(text: &serde_json::Value, host: &CgroupHost) -> Vec<String> {
    let writes = writes(&resources(text), host).unwrap_or_else(|e| panic!("{text}: {e}"));
    writes.iter().map(|write| format!("{}={}", write.file, write.value)).collect()
}

/// A config, and what it is written as on v1 and on v2.
type Case = (serde_json::Value, Vec<&'static str>, Vec<&'static str>);

fn check(cases: Vec<Case>) {
    for (text, on_v1, on_v2) in cases {
        assert_eq!(said(&text, &v1()), on_v1, "v1 {text}");
        assert_eq!(said(&text, &v2()), on_v2, "v2 {text}");
    }
}

#[test]
fn memory() {
    check(vec![
        (serde_json::json!({}), vec![], vec![]),
        (
            serde_json::json!({"memory": {"limit": 1024}}),
            vec!["memory.limit_in_bytes=1024"],
            vec!["memory.max=1024"],
        ),
        (
            serde_json::json!({"memory": {"limit": 1024, "swap": 4096, "reservation": 512}}),
            vec![
                "memory.limit_in_bytes=1024",
                "memory.memsw.limit_in_bytes=4096",
                "memory.soft_limit_in_bytes=512",
            ],
            vec!["memory.max=1024", "memory.swap.max=3072", "memory.low=512"],
        ),
        (
            serde_json::json!({"memory": {"limit": 1024, "swap": 1024}}),
            vec!["memory.limit_in_bytes=1024", "memory.memsw.limit_in_bytes=1024"],
            vec!["memory.max=1024", "memory.swap.max=0"],
        ),
        (
            serde_json::json!({"memory": {"limit": 1024, "swap": -1}}),
            vec!["memory.limit_in_bytes=1024", "memory.memsw.limit_in_bytes=-1"],
            vec!["memory.max=1024", "memory.swap.max=max"],
        ),
        (
            serde_json::json!({"memory": {"limit": -1}}),
            vec!["memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1"],
            vec!["memory.max=max", "memory.swap.max=max"],
        ),
        (
            serde_json::json!({"memory": {"limit": 0, "swap": 0, "disableOOMKiller": false}}),
            vec![],
            vec![],
        ),
        (
            serde_json::json!({"memory": {"swappiness": 10, "disableOOMKiller": true}}),
            vec!["memory.swappiness=10", "memory.oom_control=1"],
            vec![],
        ),
    ]);
}

#[test]
fn cpu() {
    check(vec![
        (
            serde_json::json!({"cpu": {"shares": 1024, "quota": 50000, "period": 100_000}}),
            vec!["cpu.shares=1024", "cpu.cfs_period_us=100000", "cpu.cfs_quota_us=50000"],
            vec!["cpu.weight=39", "cpu.max=50000 100000"],
        ),
        (
            serde_json::json!({"cpu": {"quota": 20000}}),
            vec!["cpu.cfs_quota_us=20000"],
            vec!["cpu.max=20000 100000"],
        ),
        (
            serde_json::json!({"cpu": {"quota": -1, "period": 5000, "burst": 0}}),
            vec!["cpu.cfs_period_us=5000", "cpu.cfs_quota_us=-1", "cpu.cfs_burst_us=0"],
            vec!["cpu.max=max 5000", "cpu.max.burst=0"],
        ),
        (
            serde_json::json!({"cpu": {"shares": 2, "idle": 1}}),
            vec!["cpu.shares=2", "cpu.idle=1"],
            vec!["cpu.idle=1"],
        ),
        (
            serde_json::json!({"cpu": {"cpus": "0-1", "mems": "0", "shares": 0}}),
            vec!["cpuset.cpus=0-1", "cpuset.mems=0"],
            vec!["cpuset.cpus=0-1", "cpuset.mems=0"],
        ),
    ]);
}

#[test]
fn other_controllers() {
    check(vec![
        (serde_json::json!({"pids": {"limit": 10}}), vec!["pids.max=10"], vec!["pids.max=10"]),
        (serde_json::json!({"pids": {"limit": 0}}), vec!["pids.max=0"], vec!["pids.max=0"]),
        (serde_json::json!({"pids": {"limit": -1}}), vec!["pids.max=max"], vec!["pids.max=max"]),
        (
            serde_json::json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 4}]}),
            vec!["hugetlb.2MB.limit_in_bytes=4", "hugetlb.2MB.rsvd.limit_in_bytes=4"],
            vec!["hugetlb.2MB.max=4", "hugetlb.2MB.rsvd.max=4"],
        ),
        (
            serde_json::json!({"rdma": {"mlx5_1": {"hcaHandles": 3}}}),
            vec!["rdma.max=mlx5_1 hca_handle=3 hca_object=max"],
            vec!["rdma.max=mlx5_1 hca_handle=3 hca_object=max"],
        ),
        (
            serde_json::json!({"blockIO": {"weight": 500,
            "weightDevice": [{"major": 8, "minor": 0, "weight": 10}],
            "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}],
            "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 7}]}}),
            vec![
                "blkio.weight=500",
                "blkio.weight_device=8:0 10",
                "blkio.throttle.read_bps_device=8:0 600",
                "blkio.throttle.write_iops_device=8:16 7",
            ],
            vec![
                "io.bfq.weight=500",
                "io.bfq.weight=8:0 10",
                "io.max=8:0 rbps=600",
                "io.max=8:16 wiops=7",
            ],
        ),
    ]);
}

#[test]
fn shares_and_weights() {
    let cases = [
        (0, None),
        (1, Some(1)),
        (2, Some(1)),
        (1024, Some(39)),
        (262_144, Some(10000)),
        (u64::MAX, Some(10000)),
    ];
    for (shares, weight) in cases {
        assert_eq!(weight_of_shares(shares), weight, "{shares}");
    }
}

/// A missing file loses a limit, or it does not, or the limit has another file.
#[test]
fn absent_files() {
    let find = |text: serde_json::Value, host: &CgroupHost, file: &str| {
        let all = writes(&resources(&text), host).unwrap();
        all.into_iter().find(|write| write.file == file).unwrap().if_absent
    };
    let swap = |swap: i64| serde_json::json!({"memory": {"limit": 5, "swap": swap}});
    assert_eq!(find(swap(-1), &v2(), "memory.swap.max"), IfAbsent::Skip);
    assert_eq!(find(swap(5), &v2(), "memory.swap.max"), IfAbsent::Skip);
    assert_eq!(find(swap(6), &v2(), "memory.swap.max"), IfAbsent::Refuse);
    assert_eq!(find(swap(5), &v1(), "memory.memsw.limit_in_bytes"), IfAbsent::Refuse);
    assert_eq!(find(swap(-1), &v1(), "memory.memsw.limit_in_bytes"), IfAbsent::Skip);
    let weight = serde_json::json!({"blockIO": {"weight": 10}});
    let instead =
        |file: &str, value: &str| IfAbsent::Instead { file: file.into(), value: value.into() };
    assert_eq!(find(weight.clone(), &v2(), "io.bfq.weight"), instead("io.weight", "default 1"));
    assert_eq!(find(weight, &v1(), "blkio.weight"), instead("blkio.bfq.weight", "10"));
}

/// A limit without its controller is refused by name; no limit, no refusal.
#[test]
fn missing_controllers() {
    let none = CgroupHost::default();
    let harmless = serde_json::json!({"memory": {"limit": 0}, "cpu": {"shares": 0, "cpus": ""},
        "blockIO": {"weight": 0}, "hugepageLimits": [], "network": {"classID": 0},
        "unified": {}, "rdma": {}});
    assert!(said(&harmless, &none).is_empty());
    let cases = [
        (serde_json::json!({"memory": {"limit": 1}}), "memory needs the cgroup controller memory"),
        (serde_json::json!({"cpu": {"quota": 1}}), "cpu needs the cgroup controller cpu"),
        (
            serde_json::json!({"cpu": {"cpus": "0"}}),
            "cpuset.cpus needs the cgroup controller cpuset",
        ),
        (serde_json::json!({"pids": {"limit": 1}}), "pids.limit needs the cgroup controller pids"),
        (serde_json::json!({"blockIO": {"weight": 10}}), "blockIO needs the cgroup controller io"),
        (
            serde_json::json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 1}]}),
            "hugepageLimits needs the cgroup controller hugetlb",
        ),
        (
            serde_json::json!({"network": {"classID": 1}}),
            "network.classID needs the cgroup controller net_cls",
        ),
        (
            serde_json::json!({"unified": {"memory.max": "1"}}),
            "unified memory.max: this host has no",
        ),
    ];
    for (text, words) in cases {
        let wrong = writes(&resources(&text), &none).unwrap_err().to_string();
        assert!(wrong.starts_with(words), "{wrong}");
    }
    let v1_only = writes(&resources(&serde_json::json!({"unified": {"pids.max": "1"}})), &v1());
    assert!(matches!(v1_only, Err(LimitError::NotUnified { .. })));
}

/// What v2 cannot say, and names that would leave the directory.
#[test]
fn refused_values() {
    let cases = [
        (serde_json::json!({"memory": {"swap": 5}}), "memory.swap 5 needs a memory.limit"),
        (serde_json::json!({"memory": {"limit": 6, "swap": 5}}), "memory.swap 5 needs"),
        (
            serde_json::json!({"cpu": {"realtimeRuntime": 5}}),
            "cpu.realtimeRuntime is not supported",
        ),
        (serde_json::json!({"blockIO": {"leafWeight": 10}}), "blockIO.leafWeight is not supported"),
        (serde_json::json!({"unified": {"memory/../../x": "5"}}), "unified: malformed name"),
        (serde_json::json!({"unified": {"": "5"}}), "unified: malformed name"),
        (
            serde_json::json!({"hugepageLimits": [{"pageSize": "../2MB", "limit": 1}]}),
            "hugepageLimits: malformed name",
        ),
        (serde_json::json!({"rdma": {"a b\n": {"hcaHandles": 3}}}), "rdma: malformed name"),
    ];
    for (text, words) in cases {
        let wrong = writes(&resources(&text), &v2()).unwrap_err().to_string();
        assert!(wrong.starts_with(words), "{wrong}");
    }
}

/// On a hybrid host every controller is used where it is.
#[test]
fn hybrid_hosts() {
    let mut host = v1();
    host.v1.remove("hugetlb");
    host.unified =
        Some(Unified { hierarchy: place("/u"), controllers: ["hugetlb".to_owned()].into() });
    let text = serde_json::json!({"memory": {"limit": 9},
        "hugepageLimits": [{"pageSize": "2MB", "limit": -1}],
        "unified": {"cgroup.max.depth": "1", "hugetlb.1GB.max": "0"}});
    let all = writes(&resources(&text), &host).unwrap();
    let got: Vec<_> = all.iter().map(|w| (w.version, w.file.as_str(), w.value.as_str())).collect();
    assert_eq!(
        got,
        [
            (Version::V1, "memory.limit_in_bytes", "9"),
            (Version::V2, "hugetlb.2MB.max", "max"),
            (Version::V2, "hugetlb.2MB.rsvd.max", "max"),
            (Version::V2, "cgroup.max.depth", "1"),
            (Version::V2, "hugetlb.1GB.max", "0"),
        ]
    );
}

/// No processes at all would also refuse the container's first.
#[test]
fn a_limit_of_no_processes_waits() {
    let waits = |limit: i64| {
        let text = serde_json::json!({"pids": {"limit": limit}});
        writes(&resources(&text), &v2()).unwrap()[0].waits_for_process()
    };
    assert!(waits(0) && !waits(1) && !waits(-1));
}
