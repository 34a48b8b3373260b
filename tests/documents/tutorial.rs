//! Document 1: Persistent Data with Docker Volumes.

use std::fs;

use serde_json::Value;

use crate::database::{answers, ask};
use crate::stage::{Section, Stage, text, until};

/// Its sections that have commands.
pub const SECTIONS: &[Section] = &[
    Section {
        id: "1.1",
        title: "Creating and Managing Volumes",
        commands: &[
            "docker volume create my-data",
            "docker volume ls",
            "docker volume inspect my-data",
            "docker volume prune",
            "docker volume rm my-data",
        ],
        play: |stage| {
            assert_eq!(stage.ok(), "my-data");
            assert_eq!(stage.ok(), "DRIVER    VOLUME NAME\nlocal     my-data");
            stage.ok();
            // Nobody says y; and what has a name is not removed even if somebody does.
            let asked = stage.ok();
            assert!(asked.contains("Are you sure you want to continue? [y/N]"), "{asked}");
            let nameless = stage.also(&["volume", "create"]);
            assert!(stage.also(&["volume", "prune", "-f"]).contains(&nameless));
            assert_eq!(stage.also(&["volume", "ls", "-q"]), "my-data");
            let id = stage.also(&["create", "-v", "my-data:/data", "alpine"]);
            let in_use = stage.try_also(&["volume", "rm", "my-data"]);
            assert!(String::from_utf8_lossy(&in_use.stderr).contains("volume is in use"));
            stage.also(&["rm", &id]);
            assert_eq!(stage.ok(), "my-data");
        },
    },
    Section {
        id: "1.2",
        title: "Volume Information",
        commands: &["docker volume inspect my-data"],
        play: |stage| {
            stage.also(&["volume", "create", "my-data"]);
            let shown = stage.ok();
            let all: Value = serde_json::from_str(&shown).unwrap();
            let seen = all[0].as_object().unwrap();
            let keys: Vec<&str> = seen.keys().map(String::as_str).collect();
            let wanted =
                ["CreatedAt", "Driver", "Labels", "Mountpoint", "Name", "Options", "Scope"];
            assert_eq!(keys, wanted, "the keys of the text, in its order");
            assert_eq!((&seen["Driver"], &seen["Scope"]), (&"local".into(), &"local".into()));
            assert_eq!(seen["Name"], "my-data");
            assert_eq!(
                (seen["Labels"].to_string(), seen["Options"].to_string()),
                ("{}".to_owned(), "{}".to_owned())
            );
            assert_eq!(seen["Mountpoint"], stage.data("my-data").display().to_string());
            let created = seen["CreatedAt"].as_str().unwrap();
            assert!(created.len() >= "2026-02-14T10:30:45Z".len() && &created[10..11] == "T");
            // Four blanks and eight, as in the text.
            assert!(shown.starts_with("[\n    {\n        \"CreatedAt\": \""), "{shown}");
        },
    },
    Section {
        id: "1.3",
        title: "Named Volumes",
        commands: &[
            "docker volume create postgres-data",
            "docker run -d --name postgres-db -e POSTGRES_PASSWORD=secret123 \
             -v postgres-data:/var/lib/postgresql/data postgres:15",
            "docker rm -f postgres-db",
            "docker run -d --name postgres-new -e POSTGRES_PASSWORD=secret123 \
             -v postgres-data:/var/lib/postgresql/data postgres:15",
        ],
        play: |stage| {
            stage.ok();
            stage.ok();
            answers(stage, "postgres-db");
            ask(stage, "postgres-db", "CREATE TABLE kept AS SELECT 42 AS answer");
            stage.ok();
            stage.ok();
            answers(stage, "postgres-new");
            assert_eq!(ask(stage, "postgres-new", "SELECT answer FROM kept"), "42");
            // The image's VOLUME is the named one: none without a name was made.
            assert_eq!(stage.also(&["volume", "ls", "-q"]), "postgres-data");
        },
    },
    Section {
        id: "1.4",
        title: "Anonymous Volumes",
        commands: &["docker run -d -v /var/lib/mysql mysql:8.0"],
        play: |stage| {
            let id = stage.ok();
            let name = stage.also(&["volume", "ls", "-q"]);
            assert!(name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
            assert_eq!(stage.inspect(&id)["Mounts"][0]["Name"], name.as_str());
            assert_eq!(stage.inspect(&id)["Mounts"][0]["Destination"], "/var/lib/mysql");
            until("it has data", || !text(stage.data(&name).join("app.txt")).is_empty());
            // Hard to manage: it outlives a container that is removed without -v.
            stage.also(&["rm", "-f", &id]);
            assert_eq!(stage.also(&["volume", "ls", "-q"]), name);
            stage.also(&["volume", "prune", "-f"]);
            assert_eq!(stage.also(&["volume", "ls", "-q"]), "");
        },
    },
    Section {
        id: "1.5",
        title: "Bind Mounts",
        commands: &["docker run -d --name web-server \
                     -v /home/user/website:/usr/share/nginx/html:ro -p 8080:80 nginx:latest"],
        play: |stage| {
            let website = stage.host("/home/user/website");
            fs::create_dir_all(&website).unwrap();
            fs::write(website.join("index.html"), "my website\n").unwrap();
            stage.ok();
            let page = || {
                let page = stage.inside("web-server", &["wget", "-qO-", "http://127.0.0.1/"]);
                String::from_utf8(page.stdout).unwrap()
            };
            until("the page is served", || page() == "my website\n");
            fs::write(website.join("index.html"), "changed on the host\n").unwrap();
            assert_eq!(page(), "changed on the host\n");
            // :ro refuses, :rw is the default.
            let file = "/usr/share/nginx/html/new";
            let refused = stage.inside("web-server", &["touch", file]);
            assert!(String::from_utf8_lossy(&refused.stderr).contains("Read-only file system"));
            assert_eq!(stage.inspect("web-server")["Mounts"][0]["RW"], false);
            let source = format!("{}:/site", website.display());
            for volume in [source.clone(), format!("{source}:rw")] {
                stage.also(&["run", "--rm", "-v", &volume, "alpine", "touch", "/site/new"]);
            }
        },
    },
    Section {
        id: "1.6",
        title: "Example 1: Persistent Database",
        commands: &[
            "docker volume create postgres-data",
            "docker run -d --name postgres -e POSTGRES_DB=myapp -e POSTGRES_USER=admin \
             -e POSTGRES_PASSWORD=secret123 -v postgres-data:/var/lib/postgresql/data \
             -p 5432:5432 postgres:15",
            "docker exec -it postgres psql -U admin -d myapp",
            "docker rm -f postgres",
            "docker run -d --name postgres-new -e POSTGRES_DB=myapp -e POSTGRES_USER=admin \
             -e POSTGRES_PASSWORD=secret123 -v postgres-data:/var/lib/postgresql/data \
             -p 5432:5432 postgres:15",
            "docker exec -it postgres-new psql -U admin -d myapp -c \"SELECT * FROM users;\"",
        ],
        play: |stage| {
            stage.ok();
            stage.ok();
            answers(stage, "postgres");
            let seen = stage.on_terminal(
                "CREATE TABLE users (id SERIAL, name VARCHAR(50));\n\
                 INSERT INTO users (name) VALUES ('John'), ('Jane');\n\\q\n",
            );
            assert!(seen.contains("INSERT 0 2"));
            stage.ok();
            stage.ok();
            answers(stage, "postgres-new");
            let seen = stage.on_terminal("");
            assert!(seen.contains("John") && seen.contains("Jane"), "{seen}");
            assert!(seen.contains("(2 rows)"), "{seen}");
        },
    },
    Section {
        id: "1.7",
        title: "Example 2: Web Application with File Uploads",
        commands: &[
            "docker volume create webapp-uploads",
            "docker run -d --name webapp -v webapp-uploads:/app/uploads -p 3000:3000 \
             my-web-app:latest",
        ],
        play: |stage| {
            stage.ok();
            stage.ok();
            let uploads = || text(stage.data("webapp-uploads").join("app.txt")).lines().count();
            until("a file is there", || uploads() == 1);
            stage.also(&["restart", "webapp"]);
            until("the next start has added to it", || uploads() == 2);
        },
    },
    Section {
        id: "1.8",
        title: "Example 3: Development Environment",
        commands: &["docker run -it --name dev-env -v $(pwd):/workspace -w /workspace \
                     -p 3000:3000 node:18-alpine sh"],
        play: |stage| {
            fs::write(stage.work().join("code.js"), "let here = 1\n").unwrap();
            let seen = stage.on_terminal("pwd; cat code.js; echo built > out; exit\n");
            assert!(seen.contains("/workspace\r\n") && seen.contains("let here = 1\r\n"), "{seen}");
            assert_eq!(text(stage.work().join("out")), "built\n");
            assert_eq!(stage.state("dev-env"), "exited");
        },
    },
    Section {
        id: "1.9",
        title: "Shared Data Volume",
        commands: &[
            "docker volume create shared-data",
            "docker run -d --name producer -v shared-data:/data alpine sh -c \
             \"while true; do echo $(date) >> /data/log.txt; sleep 5; done\"",
            "docker run -d --name consumer -v shared-data:/data alpine sh -c \
             \"while true; do tail -f /data/log.txt; sleep 1; done\"",
            "docker logs -f consumer",
        ],
        play: |stage| {
            stage.ok();
            stage.ok();
            stage.ok();
            // In these quotes the reader's shell has put in the date: every line is the same.
            let seen = stage.ended_when(|seen| seen.lines().count() > 5);
            let line = text(stage.data("shared-data").join("log.txt"));
            let line = line.lines().next().unwrap();
            assert!(line.contains("20") && seen.contains(line), "{seen}");
        },
    },
    Section {
        id: "1.10",
        title: "Volumes-from Pattern (Legacy)",
        commands: &[
            "docker create --name data-container -v /data alpine",
            "docker run -d --name app1 --volumes-from data-container nginx",
            "docker run -d --name app2 --volumes-from data-container nginx",
        ],
        play: |stage| {
            stage.ok();
            stage.ok();
            stage.ok();
            stage.tell("app1", &["sh", "-c", "echo shared > /data/file"]);
            assert_eq!(stage.tell("app2", &["cat", "/data/file"]), "shared");
            let volume = |name: &str| stage.inspect(name)["Mounts"][0]["Name"].clone();
            assert_eq!(volume("app1"), volume("data-container"));
            assert_eq!(volume("app2"), volume("data-container"));
            assert_eq!(stage.also(&["volume", "ls", "-q"]).lines().count(), 1);
        },
    },
    Section {
        id: "1.11",
        title: "Volume Backup and Restore",
        commands: &[
            "docker run --rm -v postgres-data:/data -v $(pwd):/backup alpine \
             tar czf /backup/postgres-backup.tar.gz -C /data .",
            "docker volume create postgres-restored",
            "docker run --rm -v postgres-restored:/data -v $(pwd):/backup alpine \
             tar xzf /backup/postgres-backup.tar.gz -C /data",
        ],
        play: |stage| {
            fill(stage, "postgres-data");
            stage.ok();
            stage.ok();
            stage.ok();
            assert_eq!(content(stage, "postgres-restored"), content(stage, "postgres-data"));
        },
    },
    Section {
        id: "1.12",
        title: "Volume Migration",
        commands: &["docker run --rm -v source-volume:/from -v target-volume:/to alpine \
                     sh -c \"cp -av /from/* /to/\""],
        play: |stage| {
            fill(stage, "source-volume");
            let copied = stage.ok();
            assert!(copied.contains("/from/sub/b"), "{copied}");
            // The directory itself is not among /from/*.
            let inner = |volume| content(stage, volume).split_once('\n').unwrap().1.to_owned();
            assert_eq!(inner("target-volume"), inner("source-volume"));
        },
    },
    Section {
        id: "1.13",
        title: "Volume Driver Options",
        commands: &["docker volume create --driver local --opt type=nfs \
                     --opt o=addr=192.168.1.100,rw --opt device=:/path/to/dir nfs-volume"],
        play: |stage| {
            assert_eq!(stage.ok(), "nfs-volume");
            let options = &stage.inspect("nfs-volume")["Options"];
            assert_eq!(options["type"], "nfs");
            assert_eq!(options["o"], "addr=192.168.1.100,rw");
            assert_eq!(options["device"], ":/path/to/dir");
        },
    },
    Section {
        id: "1.14",
        title: "Best Practices for Performance",
        commands: &[
            "docker run -d --name fast-db -v db-data:/var/lib/postgresql/data postgres:15",
            "docker run -d --name dev-app -v $(pwd)/src:/app/src my-app:dev",
        ],
        play: |stage| {
            // The text gives no password: the database refuses to begin, the volume is there.
            stage.ok();
            assert_eq!(stage.also(&["wait", "fast-db"]), "1");
            assert_eq!(stage.also(&["volume", "ls", "-q"]), "db-data");
            // -v makes a directory that is missing.
            stage.ok();
            assert!(stage.work().join("src").is_dir());
            fs::write(stage.work().join("src/code"), "edited\n").unwrap();
            assert_eq!(stage.tell("dev-app", &["cat", "/app/src/code"]), "edited");
        },
    },
    Section {
        id: "1.15",
        title: "Database with Backup Job",
        commands: &[
            "docker run -d --name postgres -v postgres-data:/var/lib/postgresql/data \
             -e POSTGRES_PASSWORD=secret postgres:15",
            "docker run --rm -v postgres-data:/data:ro -v $(pwd)/backups:/backups alpine \
             sh -c \"tar czf /backups/db-$(date +%Y%m%d).tar.gz -C /data .\"",
        ],
        play: |stage| {
            stage.ok();
            answers(stage, "postgres");
            stage.ok();
            let backups: Vec<_> = fs::read_dir(stage.work().join("backups")).unwrap().collect();
            assert_eq!(backups.len(), 1);
            let name = backups[0].as_ref().unwrap().file_name().into_string().unwrap();
            let listed = stage.also(&[
                "run",
                "--rm",
                "-v",
                &format!("{}:/b", stage.work().join("backups").display()),
                "alpine",
                "tar",
                "tzf",
                &format!("/b/{name}"),
            ]);
            assert!(listed.contains("./PG_VERSION"), "{listed}");
            // The job could not have written: its volume is read-only.
            let job = ["run", "--rm", "-v", "postgres-data:/data:ro", "alpine", "touch", "/data/x"];
            let refused = stage.try_also(&job);
            assert!(String::from_utf8_lossy(&refused.stderr).contains("Read-only file system"));
            assert_eq!(ask(stage, "postgres", "SELECT 1"), "1");
        },
    },
    Section {
        id: "1.16",
        title: "Multi-Container Application",
        commands: &[
            "docker volume create app-data",
            "docker run -d --name web -v app-data:/app/data -p 8080:80 my-web-app",
            "docker run -d --name worker -v app-data:/app/data my-worker-app",
        ],
        play: |stage| {
            stage.ok();
            let web = stage.ok();
            let worker = stage.ok();
            let file = stage.data("app-data").join("app.txt");
            until("both have written", || text(&file).lines().count() == 2);
            assert!(text(&file).contains(&web[..12]) && text(&file).contains(&worker[..12]));
            for name in ["web", "worker"] {
                assert_eq!(stage.tell(name, &["wc", "-l", "/app/data/app.txt"])[..1], *"2");
            }
        },
    },
    Section {
        id: "1.17",
        title: "Volume Not Mounting",
        commands: &[
            "docker volume ls | grep my-volume",
            "docker inspect container-name | grep -A 10 \"Mounts\"",
            "docker exec container-name ls -la /mount/path",
        ],
        play: |stage| {
            troubled(stage);
            assert_eq!(stage.ok(), "local     my-volume");
            let mounts = stage.ok();
            assert!(mounts.contains("\"Name\": \"my-volume\""), "{mounts}");
            assert!(mounts.contains("\"Destination\": \"/mount/path\""), "{mounts}");
            assert!(stage.ok().contains("file"));
        },
    },
    Section {
        id: "1.18",
        title: "Data Not Persisting",
        commands: &[
            "docker inspect container-name | jq '.[0].Mounts'",
            "docker exec container-name df -h",
        ],
        play: |stage| {
            troubled(stage);
            let mounts: Value = serde_json::from_str(&stage.ok()).unwrap();
            assert_eq!(mounts[0]["Source"], stage.data("my-volume").display().to_string());
            let seen = stage.ok();
            assert!(seen.lines().any(|line| line.ends_with(" /mount/path")), "{seen}");
        },
    },
    Section {
        id: "1.19",
        title: "Permission Problems",
        commands: &[
            "docker exec container-name chown -R app:app /data",
            "docker run --user $(id -u):$(id -g) -v data:/app my-app",
        ],
        play: |stage| {
            stage.also(&["run", "-d", "--name", "container-name", "-v", "d0:/data", "my-app"]);
            until("it has a file", || stage.data("d0").join("app.txt").exists());
            stage.ok();
            let owner = ["stat", "-c", "%U:%G", "/data", "/data/app.txt"];
            assert_eq!(stage.tell("container-name", &owner), "app:app\napp:app");
            let ids = format!("{}:{}", rustix::process::getuid(), rustix::process::getgid());
            let seen = stage.ended_when(|seen| seen.contains("runs as"));
            assert!(seen.contains(&format!("runs as {ids}")), "{seen}");
        },
    },
    Section {
        id: "1.20",
        title: "Access Control",
        commands: &[
            "docker run -v config-data:/etc/config:ro nginx",
            "docker run --user 1001:1001 -v user-data:/data my-app",
        ],
        play: |stage| {
            // nginx says nothing on standard output before it is asked: it ends when it runs.
            stage.ended_after(|id| {
                let refused = stage.inside(id, &["touch", "/etc/config/x"]);
                assert!(String::from_utf8_lossy(&refused.stderr).contains("Read-only file system"));
            });
            let seen = stage.ended_when(|seen| seen.contains("runs as"));
            assert!(seen.contains("runs as 1001:1001"), "{seen}");
        },
    },
    Section {
        id: "1.21",
        title: "Volume Encryption",
        commands: &["docker volume create --driver encrypted-driver secure-data"],
        play: |stage| {
            let said = stage.refused(1);
            assert!(said.contains("plugin \"encrypted-driver\" not found"), "{said}");
            assert_eq!(stage.also(&["volume", "ls", "-q"]), "");
        },
    },
];

/// A volume with something of each kind that a backup must keep.
fn fill(stage: &Stage, volume: &str) {
    let volume = format!("{volume}:/d");
    let script = "mkdir /d/sub && echo one > /d/a && echo two > /d/sub/b && ln -s a /d/link \
                  && chown 5:6 /d/a && chmod 640 /d/a && chown 7:8 /d/sub && chmod 2770 /d/sub";
    stage.also(&["run", "--rm", "-v", &volume, "alpine", "sh", "-c", script]);
}

/// What a volume has: names, owners, modes, sizes, texts.
fn content(stage: &Stage, volume: &str) -> String {
    let volume = format!("{volume}:/d");
    let script = "cd /d && find . | sort | xargs stat -c '%n %F %u:%g %a %Y' && cat a sub/b link";
    stage.also(&["run", "--rm", "-v", &volume, "alpine", "sh", "-c", script])
}

/// The container that the chapter on trouble speaks of.
fn troubled(stage: &Stage) {
    let volume = ["-v", "my-volume:/mount/path"];
    let script = "touch /mount/path/file; sleep 1000";
    let run = ["run", "-d", "--name", "container-name"];
    stage.also(&[&run[..], &volume, &["alpine", "sh", "-c", script]].concat());
    until("it has a file", || stage.data("my-volume").join("file").exists());
}
