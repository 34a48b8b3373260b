//! Document 0: Docker Volumes and Persistent Data.

use crate::stage::{Section, until};

/// Its sections that have commands.
pub const SECTIONS: &[Section] = &[Section {
    id: "0.2",
    title: "Using Volumes",
    commands: &[
        "docker volume create volume-name",
        "docker volume ls",
        "docker volume inspect volume-name",
        "docker volume rm volume-name",
        "docker run -d -v myvol2:/app nginx:latest",
        // The text says only that --mount does the same.
        "docker run -d --mount src=myvol2,dst=/app nginx:latest",
    ],
    play: |stage| {
        assert_eq!(stage.ok(), "volume-name");
        assert!(stage.ok().ends_with("local     volume-name"));
        assert!(stage.ok().contains("\"Name\": \"volume-name\""));
        assert_eq!(stage.ok(), "volume-name");
        assert_eq!(stage.also(&["volume", "ls", "-q"]), "");
        // The flag and the option mean the same volume, which the first has made.
        let first = stage.ok();
        let second = stage.ok();
        stage.tell(&first, &["sh", "-c", "echo shared > /app/file"]);
        assert_eq!(stage.tell(&second, &["cat", "/app/file"]), "shared");
        assert_eq!(stage.also(&["volume", "ls", "-q"]), "myvol2");
        // nginx it is, and it answers.
        until("nginx serves its page", || {
            let page = stage.inside(&first, &["wget", "-qO-", "http://127.0.0.1/"]);
            String::from_utf8_lossy(&page.stdout).contains("Welcome to nginx!")
        });
        // The data is on the host, where inspect says that it is.
        assert_eq!(crate::stage::text(stage.data("myvol2").join("file")), "shared\n");
        let mountpoint = stage.inspect("myvol2")["Mountpoint"].clone();
        assert_eq!(mountpoint, stage.data("myvol2").display().to_string());
    },
}];
