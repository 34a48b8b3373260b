//! Document 2: Summary: Persistent Data in Docker.

use std::fs;

use crate::stage::{Section, text, until};

/// Its sections that have commands.
pub const SECTIONS: &[Section] = &[
    Section {
        id: "2.3a",
        title: "Volumes vs. Bind Mounts: Volumes",
        commands: &["docker volume create mydata", "docker run -v mydata:/app/data myapp"],
        play: |stage| {
            assert_eq!(stage.ok(), "mydata");
            stage.ended_when(|seen| seen.contains("runs as 0:0"));
            assert!(text(stage.data("mydata").join("app.txt")).contains("was here"));
        },
    },
    Section {
        id: "2.3b",
        title: "Volumes vs. Bind Mounts: Bind Mounts",
        commands: &["docker run -v /home/user/data:/app/data myapp"],
        play: |stage| {
            fs::create_dir_all(stage.host("/home/user/data")).unwrap();
            stage.ended_when(|seen| seen.contains("runs as 0:0"));
            assert!(text(stage.host("/home/user/data/app.txt")).contains("was here"));
            assert_eq!(stage.also(&["volume", "ls", "-q"]), "");
        },
    },
    Section {
        id: "2.4",
        title: "Creating and Using Volumes",
        commands: &[
            "docker volume create myvolume",
            "docker run -d -v myvolume:/app/data myapp",
            "docker volume inspect myvolume",
        ],
        play: |stage| {
            assert_eq!(stage.ok(), "myvolume");
            let id = stage.ok();
            let seen: serde_json::Value = serde_json::from_str(&stage.ok()).unwrap();
            assert_eq!(seen[0]["Name"], "myvolume");
            let file = stage.data("myvolume").join("app.txt");
            until("the program has written", || !text(&file).is_empty());
            stage.also(&["rm", "-f", &id]);
            assert!(text(&file).contains(&id[..12]), "it stays when the container has gone");
        },
    },
    Section {
        id: "2.5",
        title: "Backing Up and Restoring Docker Volumes",
        commands: &[
            "docker run --rm -v myvolume:/data -v $(pwd):/backup busybox \
             tar czf /backup/backup.tar.gz /data",
            "docker run --rm -v myvolume:/data -v $(pwd):/backup busybox \
             tar xzf /backup/backup.tar.gz -C /",
        ],
        play: |stage| {
            let fill = "mkdir /d/sub && echo one > /d/a && echo two > /d/sub/b \
                        && chown 5:6 /d/a && chmod 640 /d/a";
            stage.also(&["run", "--rm", "-v", "myvolume:/d", "busybox", "sh", "-c", fill]);
            let look = || {
                let look = "cd /d && find . -exec stat -c '%n %u:%g %a %s' {} + | sort && cat a";
                stage.also(&["run", "--rm", "-v", "myvolume:/d", "busybox", "sh", "-c", look])
            };
            let before = look();
            assert!(before.contains("./a 5:6 640 4"), "{before}");
            stage.ok();
            assert!(stage.work().join("backup.tar.gz").exists());
            // The volume is lost, and comes back from the archive alone.
            stage.also(&["volume", "rm", "myvolume"]);
            stage.ok();
            assert_eq!(look(), before);
        },
    },
];
