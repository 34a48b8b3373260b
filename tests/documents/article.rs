//! Document 4: What Is Docker Volume and How Does It Persist Data Between Containers?

use crate::stage::{Section, text};

/// Its sections that have commands.
pub const SECTIONS: &[Section] = &[
    Section {
        id: "4.1",
        title: "Create and Use a Docker Volume",
        commands: &[
            "docker volume create myvolume",
            "docker run -d -v myvolume:/app/data --name mycontainer nginx",
        ],
        play: |stage| {
            assert_eq!(stage.ok(), "myvolume");
            stage.ok();
            stage.tell("mycontainer", &["sh", "-c", "echo kept > /app/data/file"]);
            assert_eq!(text(stage.data("myvolume").join("file")), "kept\n");
            // Stopped, and then removed: the data stays.
            stage.also(&["stop", "mycontainer"]);
            assert_eq!(text(stage.data("myvolume").join("file")), "kept\n");
            stage.also(&["rm", "mycontainer"]);
            assert_eq!(text(stage.data("myvolume").join("file")), "kept\n");
        },
    },
    Section {
        id: "4.2",
        title: "How Data Persists Between Containers",
        commands: &[
            "docker run -d -v myvolume:/data --name container1 nginx",
            "docker run -d -v myvolume:/data --name container2 nginx",
        ],
        play: |stage| {
            stage.ok();
            stage.ok();
            stage.tell("container1", &["sh", "-c", "echo from one > /data/file"]);
            assert_eq!(stage.tell("container2", &["cat", "/data/file"]), "from one");
            stage.also(&["rm", "-f", "container1"]);
            assert_eq!(stage.tell("container2", &["cat", "/data/file"]), "from one");
        },
    },
    Section {
        id: "4.3",
        title: "Common Docker Volume Commands",
        commands: &[
            "docker volume ls",
            "docker volume inspect myvolume",
            "docker volume rm myvolume",
        ],
        play: |stage| {
            stage.also(&["volume", "create", "myvolume"]);
            assert_eq!(stage.ok(), "DRIVER    VOLUME NAME\nlocal     myvolume");
            assert!(stage.ok().contains("/volumes/myvolume/_data\""));
            assert_eq!(stage.ok(), "myvolume");
            // Each of these stands for itself in the text: a reader may have no volume.
            for command in ["inspect", "rm"] {
                let refused = stage.try_also(&["volume", command, "myvolume"]);
                assert_eq!(refused.status.code(), Some(1));
                let said = String::from_utf8(refused.stderr).unwrap();
                assert!(said.contains("get myvolume: no such volume"), "{said}");
            }
        },
    },
];
