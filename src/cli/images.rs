//! `rrun images`, also `rrun image ls`.

use serde::Serialize;

use super::{Context, Outcome};
use crate::image::ImageStore;
use crate::image::filter::ImageFilter;
use crate::image::store::Image;
use crate::say::age;
use crate::say::failure::Failure;
use crate::say::size;

/// List images
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// Accepted for Docker's sake: all images are shown anyway
    #[arg(short, long)]
    all: bool,
    /// Show digests
    #[arg(long)]
    digests: bool,
    /// Only images that match: reference=PATTERN, dangling=BOOL, label=KEY[=VALUE],
    /// before=IMAGE, since=IMAGE
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Print "table", or "json" for one object a line
    #[arg(long)]
    format: Option<String>,
    /// Show ids in full
    #[arg(long)]
    no_trunc: bool,
    /// Only print the ids
    #[arg(short, long)]
    quiet: bool,
    /// Only images with this name
    #[arg(value_name = "NAME[:TAG]")]
    name: Option<String>,
}

/// One line of the list. The names are those of Docker's fields.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    containers: &'static str,
    created_at: String,
    created_since: String,
    digest: String,
    #[serde(rename = "ID")]
    id: String,
    repository: String,
    shared_size: &'static str,
    size: String,
    tag: String,
    unique_size: &'static str,
}

const NONE: &str = "<none>";

/// Runs the command.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let failed = |cause: &dyn std::fmt::Display| Failure::new("list the images", cause);
    let mut filters = cmd.filter.clone();
    filters.extend(cmd.name.iter().map(|name| format!("reference={name}")));
    let store = ImageStore::open(&cx.store).map_err(|e| failed(&e))?;
    let created = |name: &str| store.find(name).ok().flatten().map(|image| image.created);
    let filter = ImageFilter::parse(&filters)
        .and_then(|filter| filter.resolve(created))
        .map_err(|e| failed(&e))?;
    let listing = store.list().map_err(|e| failed(&e))?;
    let now = jiff::Timestamp::now();
    let mut rows = Vec::new();
    for image in listing.images.iter().filter(|image| filter.shows_image(image)) {
        let names = image.references.iter().filter(|name| filter.shows_name(name));
        let before = rows.len();
        rows.extend(names.map(|name| {
            let tag = name.tag().unwrap_or(NONE);
            row(image, (&name.familiar_repository(), tag), cmd, now)
        }));
        if rows.len() == before {
            rows.push(row(image, (NONE, NONE), cmd, now));
        }
    }
    let text = render(cmd, &rows).map_err(|e| failed(&e))?;
    cx.out.text(&text).map_err(|e| failed(&e))?;
    for damaged in &listing.damaged {
        cx.out.warning(damaged);
    }
    Ok(0)
}

fn row(image: &Image, (repository, tag): (&str, &str), cmd: &Cmd, now: jiff::Timestamp) -> Row {
    let created: Option<jiff::Timestamp> = image.created.parse().ok();
    let since = |at: jiff::Timestamp| age::duration(now.as_second() - at.as_second()) + " ago";
    let at = |at: jiff::Timestamp| at.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string();
    Row {
        containers: "N/A",
        created_at: created.map_or("N/A".into(), at),
        created_since: created.map_or("N/A".into(), since),
        digest: if cmd.digests { image.manifest.to_string() } else { NONE.into() },
        id: if cmd.no_trunc { image.id.to_string() } else { image.id.short().into() },
        repository: repository.into(),
        shared_size: "N/A",
        size: size::decimal_short(image.size_bytes),
        tag: tag.into(),
        unique_size: "N/A",
    }
}

/// The one place where rows become text.
fn render(cmd: &Cmd, rows: &[Row]) -> Result<String, String> {
    if cmd.quiet {
        return Ok(rows.iter().flat_map(|row| [row.id.as_str(), "\n"]).collect());
    }
    match cmd.format.as_deref() {
        None | Some("table") => Ok(table(cmd, rows)),
        Some("json") => {
            let lines: Result<Vec<String>, _> = rows.iter().map(serde_json::to_string).collect();
            Ok(lines
                .map_err(|e| e.to_string())?
                .into_iter()
                .flat_map(|l| [l, "\n".into()])
                .collect())
        }
        Some(other) => Err(format!("unknown format {other:?}: \"table\" or \"json\"")),
    }
}

fn table(cmd: &Cmd, rows: &[Row]) -> String {
    let mut lines = vec![vec!["REPOSITORY", "TAG", "DIGEST", "IMAGE ID", "CREATED", "SIZE"]];
    for row in rows {
        let (name, tag, digest) = (&row.repository, &row.tag, &row.digest);
        lines.push(vec![name, tag, digest, &row.id, &row.created_since, &row.size]);
    }
    if !cmd.digests {
        for line in &mut lines {
            line.remove(2);
        }
    }
    let columns = lines[0].len();
    let width = |at: usize| lines.iter().map(|l| l[at].chars().count()).max().unwrap_or(0);
    // As Docker's: three blanks between columns, and none narrower than ten.
    let widths: Vec<usize> = (0..columns).map(|at| (width(at) + 3).max(10)).collect();
    let mut text = String::new();
    for line in &lines {
        for (cell, width) in line.iter().zip(&widths).take(columns - 1) {
            text += &format!("{cell:<width$}");
        }
        text += line[columns - 1];
        text.push('\n');
    }
    text
}
