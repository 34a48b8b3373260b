//! `rrun ps`, also `rrun container ls` (V12.22).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Context, Outcome};
use crate::container::filter::ContainerFilter;
use crate::container::freezer::status_word;
use crate::container::ports;
use crate::container::record::{Mounted, Status};
use crate::container::store::{Container, ContainerStore};
use crate::container::written::written_bytes;
use crate::image::ImageStore;
use crate::say::failure::Failure;
use crate::say::list::{self, Columns};
use crate::say::template::Row;
use crate::say::{age, size};

/// List containers
///
/// The newest first; those that run, unless -a, -n or -l is given.
#[derive(Debug, Default, clap::Args)]
pub struct Cmd {
    /// Show all containers, not only those that run
    #[arg(short, long)]
    all: bool,
    /// Only containers that match: name=PATTERN, id=ID, status=STATUS, label=KEY[=VALUE],
    /// volume=NAME, ancestor=IMAGE, exited=CODE, network=NAME, before=CONTAINER, since=CONTAINER,
    /// expose=PORT[-PORT][/PROTOCOL], publish=PORT, health=STATUS, is-task=BOOL
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// How to print: table, table TEMPLATE, json, or a Go template for each container
    #[arg(long, value_name = "FORMAT", default_value = "", hide_default_value = true)]
    format: String,
    /// Show the newest N containers, in whatever state
    #[arg(short = 'n', long, value_name = "N")]
    last: Option<i64>,
    /// Show the newest container, in whatever state
    #[arg(short, long)]
    latest: bool,
    /// Do not shorten anything
    #[arg(long)]
    no_trunc: bool,
    /// Only print the ids
    #[arg(short, long)]
    quiet: bool,
    /// Show how much each container has written
    #[arg(short, long)]
    size: bool,
}

/// The columns of the list.
pub(super) const COLUMNS: Columns = Columns {
    headers: &[
        ("Command", "COMMAND"),
        ("CreatedAt", "CREATED AT"),
        ("ID", "CONTAINER ID"),
        ("Image", "IMAGE"),
        ("Labels", "LABELS"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("Mounts", "MOUNTS"),
        ("Names", "NAMES"),
        ("Networks", "NETWORKS"),
        ("Ports", "PORTS"),
        ("RunningFor", "CREATED"),
        ("Size", "SIZE"),
        ("State", "STATE"),
        ("Status", "STATUS"),
    ],
    table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t\
            {{.Names}}",
    raw: "",
};

/// The same with `-s`.
const WITH_SIZE: Columns = Columns {
    headers: COLUMNS.headers,
    table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t\
            {{.Names}}\t{{.Size}}",
    raw: "",
};

/// Lists the containers.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let wanted = "list the containers";
    let containers = ContainerStore::open(&cx.store).map_err(|e| Failure::new(wanted, e))?;
    let images = ImageStore::open(&cx.store).map_err(|e| Failure::new(wanted, e))?;
    let filter = filter(cmd, &containers, &images)?;
    let limit = limit(cmd);
    let stopped_too = cmd.all || limit.is_some() || filter.asks_for_stopped();
    let all = if stopped_too { containers.list() } else { containers.list_running() };
    let (all, broken) = all.map_err(|e| Failure::new(wanted, e))?;
    let shown =
        all.iter().filter(|container| filter.matches(container)).take(limit.unwrap_or(usize::MAX));
    let now = Timestamp::now();
    let row = |container: &Container| {
        let size = if cmd.size { written(container, &images) } else { "0B".into() };
        Row {
            fields: fields(&Shown { container, now, size, whole: cmd.no_trunc }),
            methods: vec![("Label", json!(container.record.process.labels))],
        }
    };
    let rows: Vec<Row> = shown.map(row).collect();
    let columns = if cmd.size { &WITH_SIZE } else { &COLUMNS };
    if cmd.quiet && !cmd.format.is_empty() {
        let words = "Ignoring custom format, because both --format and --quiet are set";
        cx.out.warning(words);
    }
    let format = if cmd.quiet { "{{.ID}}" } else { &cmd.format };
    let text = list::render(columns, format, &rows).map_err(|e| Failure::new(wanted, e))?;
    cx.out.text(&text).map_err(|e| Failure::new("write the result", e))?;
    for error in &broken {
        cx.out.failure(&Failure::new("read a container", error));
    }
    Ok(u8::from(!broken.is_empty()))
}

fn filter(
    cmd: &Cmd,
    containers: &ContainerStore,
    images: &ImageStore,
) -> Result<ContainerFilter, Failure> {
    let failed = |cause: &dyn std::fmt::Display| Failure::new("list the containers", cause);
    let image_id = |name: &str| match images.find(name) {
        Ok(found) => Ok(found.map(|image| image.id.to_string())),
        Err(e) => Err(failed(&e)),
    };
    let created = |name: &str| match containers.find(name) {
        Ok(found) => Ok(found.record.created),
        Err(e) => Err(failed(&e)),
    };
    let filter = ContainerFilter::parse(&cmd.filter).map_err(|e| failed(&e))?;
    filter.resolve(image_id, created)
}

/// How many are shown at most; 0 and less are no limit, as in Docker.
fn limit(cmd: &Cmd) -> Option<usize> {
    match cmd.last {
        Some(last) => usize::try_from(last).ok().filter(|last| *last > 0),
        None => cmd.latest.then_some(1),
    }
}

/// A container, and how it is shown.
struct Shown<'a> {
    container: &'a Container,
    now: Timestamp,
    size: String,
    /// Is nothing shortened?
    whole: bool,
}

/// The fields of a container whose size is known.
pub(super) fn fields_with_size(container: &Container, size: String) -> Value {
    fields(&Shown { container, now: Timestamp::now(), size, whole: false })
}

fn fields(shown: &Shown) -> Value {
    let Container { record, state, .. } = shown.container;
    let words: Vec<&str> = record
        .process
        .entrypoint
        .iter()
        .chain(&record.process.command)
        .map(String::as_str)
        .collect();
    let command = shortened(&words.join(" "), 20, shown.whole);
    let created: Option<Timestamp> = record.created.parse().ok();
    let since = |at: Timestamp| age::duration(shown.now.as_second() - at.as_second()) + " ago";
    let at = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string();
    let labels: Vec<String> =
        record.process.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut mounts = Vec::new();
    let mut local_volumes = 0;
    for mount in &record.mounts {
        match &mount.what {
            Mounted::Volume { name, driver, .. } => {
                local_volumes += usize::from(driver == "local");
                mounts.push(shortened(name.as_str(), 15, shown.whole));
            }
            Mounted::Bind { source, .. } => {
                mounts.push(shortened(&source.to_string(), 15, shown.whole));
            }
            Mounted::Tmpfs { .. } | Mounted::Image { .. } => {}
        }
    }
    let running = state.status == Status::Running;
    json!({
        "Command": format!("{command:?}"),
        "CreatedAt": created.map(at).unwrap_or_default(),
        "ID": if shown.whole { record.id.as_str() } else { shown.container.short_id() },
        "Image": record.options.image,
        "Labels": labels.join(","),
        "LocalVolumes": local_volumes.to_string(),
        "Mounts": mounts.join(","),
        "Names": record.name,
        "Networks": record.options.network.mode.word(),
        "Ports": if running { ports::listed(record, state) } else { String::new() },
        "RunningFor": created.map(since).unwrap_or_default(),
        "Size": shown.size,
        "State": status_word(shown.container),
        "Status": status(shown),
    })
}

/// `Created`, `Up 2 seconds`, `Exited (7) 1 second ago`
fn status(shown: &Shown) -> String {
    let state = &shown.container.state;
    let since = |time: &str| {
        let at: Option<Timestamp> = time.parse().ok();
        at.map(|at| age::duration(shown.now.as_second() - at.as_second()))
    };
    match state.status {
        Status::Created => "Created".into(),
        Status::Restarting => match since(&state.finished) {
            Some(duration) => format!("Restarting ({}) {duration} ago", state.exit_code),
            None => format!("Restarting ({})", state.exit_code),
        },
        Status::Running => {
            let paused = if status_word(shown.container) == "paused" { " (Paused)" } else { "" };
            since(&state.started).map_or("Up".into(), |duration| format!("Up {duration}{paused}"))
        }
        Status::Exited => match since(&state.finished) {
            Some(duration) => format!("Exited ({}) {duration} ago", state.exit_code),
            // Nobody saw when.
            None => format!("Exited ({})", state.exit_code),
        },
    }
}

/// At most `most` characters, the last of which then says that there is more.
fn shortened(text: &str, most: usize, whole: bool) -> String {
    if whole || text.chars().count() <= most {
        return text.into();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// What the container wrote, and that together with its image.
fn written(container: &Container, images: &ImageStore) -> String {
    let own = written_bytes(container);
    let image = images.find(&container.record.image_id).ok().flatten();
    let all = own + image.map_or(0, |image| image.size_bytes);
    format!("{} (virtual {})", size::decimal_short(own), size::decimal_short(all))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::mount_flag::parse_volume;
    use crate::container::record::Ownership;
    use crate::container::testing::{container, resolved, volume_mount};

    const NOW: &str = "2024-01-01T00:00:10Z";

    fn shown(container: &Container, whole: bool) -> Shown<'_> {
        Shown { container, now: NOW.parse().unwrap(), size: "0B".into(), whole }
    }

    fn web() -> Container {
        let mut web = container("web", 'a', Path::new("/containers"));
        web.record.created = "2024-01-01T00:00:00.000000000Z".into();
        web.record.process.command = vec!["sh".into(), "-c".into(), "echo \"a long text\"".into()];
        web
    }

    /// V12.22: the words of the column STATUS.
    #[test]
    fn statuses() {
        let at = |seconds: u32| format!("2024-01-01T00:00:{seconds:02}.5Z");
        let cases = [
            (Status::Created, 0, String::new(), String::new(), "Created"),
            (Status::Running, 0, at(7), String::new(), "Up 3 seconds"),
            (Status::Exited, 7, at(7), at(8), "Exited (7) 2 seconds ago"),
            (Status::Exited, 137, at(7), String::new(), "Exited (137)"),
        ];
        for (state, exit_code, started, finished, want) in cases {
            let mut web = web();
            web.state.status = state;
            web.state.exit_code = exit_code;
            (web.state.started, web.state.finished) = (started, finished);
            assert_eq!(status(&shown(&web, false)), want);
        }
    }

    /// V12.22: the columns; commands and names of mounts are shortened unless all is wanted.
    #[test]
    fn table() {
        let mut web = web();
        web.record.mounts = vec![
            volume_mount("a-volume-with-a-long-name", Ownership::Named),
            resolved(&parse_volume("/srv:/srv", Path::new("/")).unwrap()),
        ];
        let rows = |whole| vec![Row { fields: fields(&shown(&web, whole)), methods: Vec::new() }];
        assert_eq!(
            list::render(&COLUMNS, "", &rows(false)).unwrap(),
            concat!(
                "CONTAINER ID   IMAGE     COMMAND                   CREATED          ",
                "STATUS    PORTS     NAMES\n",
                "aaaaaaaaaaaa   alpine    \"sh -c echo \\\"a long …\"   10 seconds ago   ",
                "Created             web\n",
            )
        );
        let fields = "{{.Mounts}} {{.LocalVolumes}} {{.State}} {{.Networks}} {{.CreatedAt}}";
        assert_eq!(
            list::render(&COLUMNS, fields, &rows(false)).unwrap(),
            "a-volume-with-…,/srv 1 created none 2024-01-01 00:00:00 +0000 UTC\n"
        );
        assert_eq!(
            list::render(&COLUMNS, "{{.ID}} {{.Command}} {{.Mounts}}", &rows(true)).unwrap(),
            format!(
                "{} \"sh -c echo \\\"a long text\\\"\" a-volume-with-a-long-name,/srv\n",
                web.record.id
            )
        );
    }

    /// -n and -l: how many are shown, in whatever state.
    #[test]
    fn limits() {
        let of = |last, latest| limit(&Cmd { last, latest, ..Cmd::default() });
        assert_eq!([of(None, false), of(Some(2), false), of(None, true)], [None, Some(2), Some(1)]);
        assert_eq!([of(Some(0), true), of(Some(-1), false)], [None, None]);
    }
}
