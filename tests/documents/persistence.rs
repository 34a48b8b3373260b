//! Document 3: Data Persistence: Keeping Your Data Safe.

use std::fs;

use crate::database::{answers, ask};
use crate::stage::{Section, Stage, text, until};

/// Its sections that have commands.
pub const SECTIONS: &[Section] = &[
    Section {
        id: "3.1",
        title: "Named Volumes (Recommended)",
        commands: &[
            "docker volume create db-data",
            "docker run -d --name postgres -v db-data:/var/lib/postgresql/data postgres:14",
        ],
        play: |stage| {
            stage.ok();
            without_password(stage, "db-data");
        },
    },
    Section {
        id: "3.2",
        title: "Bind Mounts",
        commands: &["docker run -d --name app -v /host/logs:/app/logs my-app"],
        play: into_host_logs,
    },
    Section {
        id: "3.3",
        title: "External Storage",
        commands: &["docker volume create --driver local --opt type=nfs \
                     --opt device=:/nfs/data nfs-data"],
        play: |stage| {
            assert_eq!(stage.ok(), "nfs-data");
            assert_eq!(stage.inspect("nfs-data")["Options"]["device"], ":/nfs/data");
            // No server's address: it cannot be mounted, and the words say what was tried.
            let run = stage.try_also(&["run", "--rm", "-v", "nfs-data:/data", "alpine", "true"]);
            assert_eq!(run.status.code(), Some(125));
            let said = String::from_utf8_lossy(&run.stderr);
            assert!(said.contains("failed to mount local volume: mount :/nfs/data:"), "{said}");
        },
    },
    Section {
        id: "3.4",
        title: "Database Persistence",
        commands: &[
            "docker volume create postgres-data",
            "docker run -d --name postgres -v postgres-data:/var/lib/postgresql/data \
             -e POSTGRES_PASSWORD=secret postgres:14",
        ],
        play: |stage| {
            stage.ok();
            stage.ok();
            answers(stage, "postgres");
            ask(stage, "postgres", "CREATE TABLE kept AS SELECT 42 AS answer");
            // It stays when the container stops, and when it is deleted and made again.
            stage.also(&["stop", "postgres"]);
            assert!(stage.data("postgres-data").join("PG_VERSION").exists());
            stage.also(&["start", "postgres"]);
            answers(stage, "postgres");
            assert_eq!(ask(stage, "postgres", "SELECT answer FROM kept"), "42");
            stage.also(&["rm", "-f", "postgres"]);
            let volume = "postgres-data:/var/lib/postgresql/data";
            stage.also(&["run", "-d", "--name", "again", "-v", volume, "postgres:14"]);
            answers(stage, "again");
            assert_eq!(ask(stage, "again", "SELECT answer FROM kept"), "42");
        },
    },
    Section {
        id: "3.5",
        title: "Application Data Persistence",
        commands: &[
            "docker volume create app-data",
            "docker run -d --name app -v app-data:/app/data my-app:1.0",
        ],
        play: |stage| {
            stage.ok();
            stage.ok();
            kept(stage, "app-data");
        },
    },
    Section {
        id: "3.6a",
        title: "Log Persistence: Volume",
        commands: &[
            "docker volume create app-logs",
            "docker run -d --name app -v app-logs:/app/logs my-app",
        ],
        play: |stage| {
            stage.ok();
            stage.ok();
            kept(stage, "app-logs");
        },
    },
    Section {
        id: "3.6b",
        title: "Log Persistence: Bind mount",
        commands: &["docker run -d --name app -v /host/logs:/app/logs my-app"],
        play: into_host_logs,
    },
    Section {
        id: "3.6c",
        title: "Log Persistence: Logging driver",
        commands: &[
            "docker run -d --name app --log-driver json-file --log-opt max-size=10m my-app",
        ],
        play: |stage| {
            stage.ok();
            until("it has written", || stage.also(&["logs", "app"]).contains("runs as 0:0"));
            let config = &stage.inspect("app")["HostConfig"]["LogConfig"];
            assert_eq!(
                (&config["Type"], &config["Config"]["max-size"]),
                (&"json-file".into(), &"10m".into())
            );
            let log = text(stage.inspect("app")["LogPath"].as_str().unwrap());
            assert!(log.contains("\"stream\":\"stdout\""), "{log}");
        },
    },
    Section {
        id: "3.7a",
        title: "Backup Strategies: Manual backup",
        commands: &[
            "docker stop postgres",
            "docker run --rm -v postgres-data:/data -v $(pwd):/backup alpine \
             tar czf /backup/postgres-backup.tar.gz /data",
            "docker start postgres",
        ],
        play: |stage| {
            database(stage);
            assert_eq!(stage.ok(), "postgres");
            assert_eq!(stage.inspect("postgres")["State"]["ExitCode"], 0, "it ended by itself");
            stage.ok();
            assert!(stage.work().join("postgres-backup.tar.gz").exists());
            assert_eq!(stage.ok(), "postgres");
            answers(stage, "postgres");
            assert_eq!(ask(stage, "postgres", "SELECT answer FROM kept"), "42");
        },
    },
    Section {
        id: "3.7b",
        title: "Backup Strategies: Automated backup",
        commands: &["docker run -d --name backup -v postgres-data:/data \
                     -v backup-storage:/backup backup-image /backup-script.sh"],
        play: |stage| {
            let fill = ["run", "--rm", "-v", "postgres-data:/d", "alpine", "touch", "/d/row"];
            stage.also(&fill);
            stage.ok();
            assert_eq!(stage.also(&["wait", "backup"]), "0");
            let list = "tar tzf /b/data-*.tar.gz";
            let run = ["run", "--rm", "-v", "backup-storage:/b", "alpine", "sh", "-c", list];
            assert!(stage.also(&run).contains("./row"));
        },
    },
    Section {
        id: "3.8",
        title: "Restore Strategies",
        commands: &[
            "docker stop postgres",
            "docker rm postgres",
            "docker run --rm -v postgres-data:/data -v $(pwd):/backup alpine \
             tar xzf /backup/postgres-backup.tar.gz -C /",
            "docker run -d --name postgres -v postgres-data:/var/lib/postgresql/data postgres:14",
        ],
        play: |stage| {
            database(stage);
            stage.also(&["stop", "postgres"]);
            let pack = "tar czf /backup/postgres-backup.tar.gz /data";
            let work = format!("{}:/backup", stage.work().display());
            let mounts = ["-v", "postgres-data:/data", "-v", &work];
            stage.also(&[&["run", "--rm"], &mounts[..], &["alpine", "sh", "-c", pack]].concat());
            stage.also(&["start", "postgres"]);
            assert_eq!(stage.ok(), "postgres");
            assert_eq!(stage.ok(), "postgres");
            // The accident: everything in the volume is lost.
            let lose = "rm -rf /data/*; ls -A /data";
            let lost = [&["run", "--rm"], &mounts[..], &["alpine", "sh", "-c", lose]].concat();
            assert_eq!(stage.also(&lost), "");
            stage.ok();
            stage.ok();
            answers(stage, "postgres");
            assert_eq!(ask(stage, "postgres", "SELECT answer FROM kept"), "42");
        },
    },
    Section {
        id: "3.9a",
        title: "Always Use Volumes for Databases: don't do this",
        commands: &["docker run -d --name postgres postgres:14"],
        play: |stage| {
            stage.ok();
            assert_eq!(stage.also(&["wait", "postgres"]), "1", "the text gives no password");
            // The image's VOLUME makes one that nobody has named.
            let name = stage.also(&["volume", "ls", "-q"]);
            assert_eq!(name.len(), 64);
            stage.also(&["rm", "-v", "postgres"]);
            assert_eq!(stage.also(&["volume", "ls", "-q"]), "");
        },
    },
    Section {
        id: "3.9b",
        title: "Always Use Volumes for Databases: do this",
        commands: &[
            "docker volume create postgres-data",
            "docker run -d --name postgres -v postgres-data:/var/lib/postgresql/data postgres:14",
        ],
        play: |stage| {
            stage.ok();
            without_password(stage, "postgres-data");
        },
    },
    Section {
        id: "3.10",
        title: "Name Your Volumes",
        commands: &[
            "docker run -d -v /data nginx",
            "docker volume create web-data",
            "docker run -d -v web-data:/data nginx",
        ],
        play: |stage| {
            let id = stage.ok();
            let nameless = stage.inspect(&id)["Mounts"][0]["Name"].as_str().unwrap().to_owned();
            assert_eq!(nameless.len(), 64);
            stage.ok();
            let id = stage.ok();
            assert_eq!(stage.inspect(&id)["Mounts"][0]["Name"], "web-data");
            assert_eq!(stage.also(&["volume", "ls", "-q"]).lines().count(), 2);
        },
    },
    Section {
        id: "3.11",
        title: "Hands-On Exercise: Data Persistence",
        commands: &[
            "docker volume create test-data",
            "docker run -d --name test -v test-data:/data alpine \
             sh -c \"echo 'Important data' > /data/file.txt && sleep 3600\"",
            "docker exec test cat /data/file.txt",
            "docker stop test",
            "docker rm test",
            "docker run -d --name test2 -v test-data:/data alpine cat /data/file.txt",
            "docker run --rm -v test-data:/data -v $(pwd):/backup alpine \
             tar czf /backup/backup.tar.gz /data",
            "docker volume create test-data2",
            "docker run --rm -v test-data2:/data -v $(pwd):/backup alpine \
             tar xzf /backup/backup.tar.gz -C /",
            "docker run --rm -v test-data2:/data alpine cat /data/file.txt",
        ],
        play: |stage| {
            stage.ok();
            stage.ok();
            until("it has written", || stage.data("test-data").join("file.txt").exists());
            assert_eq!(stage.ok(), "Important data");
            // sh is process 1 and has no handler for SIGTERM: it takes the ten seconds.
            assert_eq!(stage.ok(), "test");
            assert_eq!(stage.inspect("test")["State"]["ExitCode"], 137);
            assert_eq!(stage.ok(), "test");
            assert_eq!(stage.also(&["volume", "ls", "-q"]), "test-data", "the volume still exists");
            stage.ok();
            // It runs in the background: its output is in the log.
            stage.also(&["wait", "test2"]);
            assert_eq!(stage.also(&["logs", "test2"]), "Important data");
            stage.ok();
            stage.ok();
            stage.ok();
            assert_eq!(stage.ok(), "Important data");
        },
    },
];

/// A container whose directory of logs is one of the host's.
fn into_host_logs(stage: &Stage) {
    // It does not exist: -v makes it.
    let id = stage.ok();
    let file = stage.host("/host/logs/app.txt");
    until("it has written", || !text(&file).is_empty());
    stage.also(&["rm", "-f", "app"]);
    assert!(text(&file).contains(&id[..12]));
    assert!(fs::metadata(stage.host("/host/logs")).unwrap().is_dir());
}

/// What `app` has written is in the volume, also when the container has gone.
fn kept(stage: &Stage, volume: &str) {
    let file = stage.data(volume).join("app.txt");
    until("it has written", || !text(&file).is_empty());
    stage.also(&["rm", "-f", "app"]);
    assert_eq!(text(&file).lines().count(), 1);
}

/// The text gives PostgreSQL no password: the image refuses an empty database, as that which people
/// know does. A second container with one makes it, and then the text's command works.
fn without_password(stage: &Stage, volume: &str) {
    stage.ok();
    assert_eq!(stage.also(&["wait", "postgres"]), "1");
    let said = String::from_utf8(stage.try_also(&["logs", "postgres"]).stderr).unwrap();
    assert!(said.contains("superuser password is not specified"), "{said}");
    let volume = format!("{volume}:/var/lib/postgresql/data");
    let password = ["-e", "POSTGRES_PASSWORD=secret"];
    let run = ["run", "-d", "--name", "first", "-v", &volume];
    stage.also(&[&run[..], &password, &["postgres:14"]].concat());
    answers(stage, "first");
    stage.also(&["rm", "-f", "first"]);
    stage.also(&["start", "postgres"]);
    answers(stage, "postgres");
}

/// The container `postgres` on the volume `postgres-data`, with something to lose.
fn database(stage: &Stage) {
    let volume = ["-v", "postgres-data:/var/lib/postgresql/data"];
    let run = ["run", "-d", "--name", "postgres", "-e", "POSTGRES_PASSWORD=secret"];
    stage.also(&[&run[..], &volume, &["postgres:14"]].concat());
    answers(stage, "postgres");
    ask(stage, "postgres", "CREATE TABLE kept AS SELECT 42 AS answer");
}
