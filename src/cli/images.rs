//! `rrun images`, also `rrun image ls`.

use super::{Context, Outcome};
use crate::image::filter::ImageFilter;
use crate::image::store::Image;
use crate::image::{Digest, ImageStore};
use crate::say::age;
use crate::say::failure::Failure;
use crate::say::list::{self, Columns};
use crate::say::size;
use crate::say::template::Row;

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
    /// How to print: table, table TEMPLATE, json, raw, or a Go template for each image
    #[arg(long, value_name = "FORMAT", default_value = "", hide_default_value = true)]
    format: String,
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

const COLUMNS: Columns = Columns {
    headers: &[
        ("Containers", "CONTAINERS"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedSince", "CREATED"),
        ("Digest", "DIGEST"),
        ("ID", "IMAGE ID"),
        ("Repository", "REPOSITORY"),
        ("SharedSize", "SHARED SIZE"),
        ("Size", "SIZE"),
        ("Tag", "TAG"),
        ("UniqueSize", "UNIQUE SIZE"),
    ],
    table: "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
    raw: "repository: {{.Repository}}\ntag: {{.Tag}}\nimage_id: {{.ID}}\n\
          created_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n",
};

const WITH_DIGESTS: Columns = Columns {
    table: "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
    raw: "repository: {{.Repository}}\ntag: {{.Tag}}\ndigest: {{.Digest}}\n\
          image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n",
    ..COLUMNS
};

const QUIET: Columns = Columns { raw: "image_id: {{.ID}}\n", ..COLUMNS };

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
            let digest = image.digest_as(name);
            row(image, (&name.familiar_repository(), tag, digest), cmd, now)
        }));
        if rows.len() == before {
            rows.push(row(image, (NONE, NONE, &image.manifest), cmd, now));
        }
    }
    let text = match (cmd.quiet, cmd.format.as_str()) {
        (true, "" | "table") => list::render(&QUIET, "{{.ID}}", &rows),
        (true, format) => list::render(&QUIET, format, &rows),
        (false, format) if cmd.digests => list::render(&WITH_DIGESTS, format, &rows),
        (false, format) => list::render(&COLUMNS, format, &rows),
    };
    let text = text.map_err(|e| failed(&e))?;
    cx.out.text(&text).map_err(|e| failed(&e))?;
    for damaged in &listing.damaged {
        cx.out.warning(damaged);
    }
    Ok(0)
}

fn row(
    image: &Image,
    (repository, tag, digest): (&str, &str, &Digest),
    cmd: &Cmd,
    now: jiff::Timestamp,
) -> Row {
    let created: Option<jiff::Timestamp> = image.created.parse().ok();
    let since = |at: jiff::Timestamp| age::duration(now.as_second() - at.as_second()) + " ago";
    let at = |at: jiff::Timestamp| at.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string();
    // Docker shows digests where the table or the template asks for them.
    let with_digest = cmd.digests || cmd.format.contains(".Digest");
    let fields = serde_json::json!({
        "Containers": "N/A",
        "CreatedAt": created.map_or("N/A".into(), at),
        "CreatedSince": created.map_or("N/A".into(), since),
        "Digest": if with_digest { digest.to_string() } else { NONE.into() },
        "ID": if cmd.no_trunc { image.id.to_string() } else { image.id.short().into() },
        "Repository": repository,
        "SharedSize": "N/A",
        "Size": size::decimal_short(image.size_bytes),
        "Tag": tag,
        "UniqueSize": "N/A",
    });
    Row { fields, methods: Vec::new() }
}
