//! A real database on a volume: PostgreSQL that is removed, killed, copied away and shared.

use crate::stage::{Section, Stage, kill, until};
use rustix::process::Signal;

/// What no text has as a block of commands, but all of them promise.
pub const SECTIONS: &[Section] = &[
    Section {
        id: "db.1",
        title: "John and Jane outlive the container",
        commands: &[],
        play: removed,
    },
    Section {
        id: "db.2",
        title: "kill -9 loses nothing that was committed",
        commands: &[],
        play: killed,
    },
    Section { id: "db.3", title: "a backup becomes a new volume", commands: &[], play: restored },
    Section { id: "db.4", title: "a writer and a reader", commands: &[], play: shared },
    Section {
        id: "db.5",
        title: "an orphan never meets the next server",
        commands: &[],
        play: orphaned,
    },
];

/// Starts PostgreSQL on a volume, as the container `name`, and waits until it answers.
fn serve(stage: &Stage, name: &str, volume: &str) {
    let volume = format!("{volume}:/var/lib/postgresql/data");
    let environment =
        ["-e", "POSTGRES_DB=myapp", "-e", "POSTGRES_USER=admin", "-e", "POSTGRES_PASSWORD=s3cret"];
    let run = ["run", "-d", "--name", name, "-v", &volume];
    stage.also(&[&run[..], &environment, &["postgres:15"]].concat());
    answers(stage, name);
}

/// Waits until the server in this container answers.
pub fn answers(stage: &Stage, container: &str) {
    until("the database answers", || {
        let state = stage.inspect(container)["State"].clone();
        assert_eq!(state["Status"], "running", "{container} has ended: {state}");
        stage.inside(container, &["pg_isready", "-q"]).status.success()
    });
}

/// What a statement returns, without headings; as the user that the container was made with.
pub fn ask(stage: &Stage, container: &str, statement: &str) -> String {
    let user = "psql -qAtX -v ON_ERROR_STOP=1 -U ${POSTGRES_USER:-postgres} \
                -d ${POSTGRES_DB:-postgres} -c \"$0\"";
    stage.tell(container, &["sh", "-c", user, statement])
}

/// The table of the texts.
fn john_and_jane(stage: &Stage, container: &str) {
    ask(stage, container, "CREATE TABLE users (id SERIAL, name VARCHAR(50))");
    ask(stage, container, "INSERT INTO users (name) VALUES ('John'), ('Jane')");
}

const USERS: &str = "SELECT * FROM users ORDER BY id";

/// A container that is removed by force while it runs; another one on the same volume.
fn removed(stage: &Stage) {
    serve(stage, "one", "pg");
    john_and_jane(stage, "one");
    // On the network the password that was set is asked for, and no other will do.
    let login = |password: &str| {
        let set = format!("PGPASSWORD={password}");
        let psql = ["psql", "-qAtX", "-h", "127.0.0.1", "-U", "admin", "-d", "myapp", "-c", USERS];
        stage.inside("one", &[&["env", &set], &psql[..]].concat())
    };
    assert_eq!(String::from_utf8(login("s3cret").stdout).unwrap(), "1|John\n2|Jane\n");
    let refused = String::from_utf8(login("wrong").stderr).unwrap();
    assert!(refused.contains("password authentication failed"), "{refused}");
    stage.also(&["rm", "-f", "one"]);
    serve(stage, "two", "pg");
    assert_eq!(ask(stage, "two", USERS), "1|John\n2|Jane");
}

/// The supervisor is killed, then the server itself, each while a client writes: what the client
/// was told is committed is there afterwards.
fn killed(stage: &Stage) {
    serve(stage, "pg", "pg");
    john_and_jane(stage, "pg");
    ask(stage, "pg", "CREATE TABLE numbers (n INT)");
    let mut from = 0;
    for victim in ["supervisor", "server"] {
        let told = stage.work().join(victim);
        // Each number that psql echoes after its COMMIT has been acknowledged.
        let script = format!(
            "n={from}; while psql -qX -U admin -d myapp -c \
             \"INSERT INTO numbers VALUES ($n)\" && echo $n; do n=$((n+1)); done"
        );
        let mut client = std::process::Command::new(env!("CARGO_BIN_EXE_rrun"))
            .arg("--root")
            .arg(stage.store())
            .args(["exec", "pg", "sh", "-c", &script])
            .stdout(std::fs::File::create(&told).unwrap())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let told = || crate::stage::text(&told);
        until("the client has written", || told().lines().count() >= 3);
        let server = stage.pid("pg");
        kill(if victim == "server" { server } else { parent(server) }, Signal::KILL);
        until("it has ended", || stage.state("pg") == "exited");
        client.wait().unwrap();
        assert_eq!(stage.inspect("pg")["State"]["ExitCode"], 137, "{victim}");
        let last: u32 = told().lines().last().unwrap().parse().unwrap();
        stage.also(&["start", "pg"]);
        answers(stage, "pg");
        let log = String::from_utf8(stage.try_also(&["logs", "pg"]).stderr).unwrap();
        assert!(log.contains("was not properly shut down; automatic recovery"), "{log}");
        let there = ask(stage, "pg", "SELECT count(DISTINCT n) FROM numbers");
        // One more may be there than was told: committed, and the client killed before the word.
        let there: u32 = there.parse().unwrap();
        assert!(there == last + 1 || there == last + 2, "{victim}: {there} rows, told {last}");
        from = there;
        assert_eq!(ask(stage, "pg", USERS), "1|John\n2|Jane");
    }
}

/// The entry point has changed its user, which takes the signal of its supervisor's death from it:
/// the server outlives a supervisor that is killed. Whoever starts the next container on the
/// volume ends it first: two servers on the same files would destroy them.
fn orphaned(stage: &Stage) {
    serve(stage, "one", "pg");
    john_and_jane(stage, "one");
    let server = stage.pid("one");
    kill(parent(server), Signal::KILL);
    serve(stage, "two", "pg");
    let stat = crate::stage::text(format!("/proc/{server}/stat"));
    assert!(stat.is_empty() || stat.contains(") Z "), "the first server lives: {stat}");
    assert_eq!(ask(stage, "two", USERS), "1|John\n2|Jane");
    assert_eq!(stage.inspect("one")["State"]["ExitCode"], 137);
}

/// The supervisor: the parent of a container's first process.
fn parent(pid: i32) -> i32 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
    line.trim().parse().unwrap()
}

/// tar in a container packs the stopped database; another one unpacks it into a new volume.
fn restored(stage: &Stage) {
    serve(stage, "old", "pg-old");
    john_and_jane(stage, "old");
    stage.also(&["stop", "old"]);
    let work = format!("{}:/backup", stage.work().display());
    let tar = |volume: &str, mode: &str| {
        let volume = format!("{volume}:/data");
        let run = ["run", "--rm", "-v", &volume, "-v", &work, "alpine"];
        stage.also(&[&run[..], &["tar", mode, "/backup/pg.tar.gz", "-C", "/data", "."]].concat());
    };
    tar("pg-old", "czf");
    stage.also(&["rm", "old"]);
    stage.also(&["volume", "rm", "pg-old"]);
    tar("pg-new", "xzf");
    serve(stage, "new", "pg-new");
    assert_eq!(ask(stage, "new", USERS), "1|John\n2|Jane");
}

/// Two clients in containers of their own, which share only the volume with the server's socket:
/// one writes, the other reads.
fn shared(stage: &Stage) {
    let environment = ["-e", "POSTGRES_HOST_AUTH_METHOD=trust"];
    let volumes = ["-v", "pg:/var/lib/postgresql/data", "-v", "socket:/var/run/postgresql"];
    let run = ["run", "-d", "--name", "server"];
    stage.also(&[&run[..], &volumes, &environment, &["postgres:15"]].concat());
    answers(stage, "server");
    ask(stage, "server", "CREATE TABLE lines (n INT)");
    let client = |name: &str, script: &str| {
        let run = ["run", "-d", "--name", name, "-v", "socket:/var/run/postgresql"];
        stage.also(&[&run[..], &["postgres:15", "sh", "-c", script]].concat());
    };
    client(
        "writer",
        "for n in 1 2 3 4 5 6 7 8 9 10; do psql -qX -U postgres -c \
         \"INSERT INTO lines VALUES ($n)\" || exit 1; done",
    );
    client(
        "reader",
        "while [ \"$(psql -qAtX -U postgres -c 'SELECT sum(n) FROM lines')\" != 55 ]; \
         do sleep 0.1; done; echo all are there",
    );
    assert_eq!(stage.also(&["wait", "writer"]), "0");
    assert_eq!(stage.also(&["wait", "reader"]), "0");
    assert_eq!(stage.also(&["logs", "reader"]), "all are there");
}
