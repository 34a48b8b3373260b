//! `rrun system df` (V4.30).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::usage::{ImageUse, Usage, usage};
use crate::cli::ps;
use crate::cli::{Context, Outcome};
use crate::container::record::Status;
use crate::say::failure::Failure;
use crate::say::list::{self, Columns};
use crate::say::size::{decimal, decimal_short};
use crate::say::template::{Row, Template};

/// Show how much space images, containers and volumes take
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// How to print: table, table TEMPLATE, json, or a Go template for each kind; with -v for
    /// all together
    #[arg(long, value_name = "FORMAT", default_value = "", hide_default_value = true)]
    format: String,
    /// Show each image, container and volume
    #[arg(short, long)]
    verbose: bool,
}

const KINDS: Columns = Columns {
    headers: &[
        ("Active", "ACTIVE"),
        ("Reclaimable", "RECLAIMABLE"),
        ("Size", "SIZE"),
        ("TotalCount", "TOTAL"),
        ("Type", "TYPE"),
    ],
    table: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
    raw: "",
};

const IMAGES: Columns = Columns {
    headers: &[
        ("Containers", "CONTAINERS"),
        ("CreatedSince", "CREATED"),
        ("ID", "IMAGE ID"),
        ("Repository", "REPOSITORY"),
        ("SharedSize", "SHARED SIZE"),
        ("Size", "SIZE"),
        ("Tag", "TAG"),
        ("UniqueSize", "UNIQUE SIZE"),
    ],
    table: "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t\
            {{.UniqueSize}}\t{{.Containers}}",
    raw: "",
};

const CONTAINERS: Columns = Columns {
    table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t\
            {{.Status}}\t{{.Names}}",
    ..ps::COLUMNS
};

const VOLUMES: Columns = Columns {
    headers: &[("Links", "LINKS"), ("Name", "VOLUME NAME"), ("Size", "SIZE")],
    table: "{{.Name}}\t{{.Links}}\t{{.Size}}",
    raw: "",
};

/// Shows it.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let failed = |cause: &dyn std::fmt::Display| Failure::new("show what is used", cause);
    let usage = usage(cx)?;
    let text = match (cmd.verbose, cmd.format.as_str()) {
        (false, format) => list::render(&KINDS, format, &kinds(&usage)).map_err(|e| failed(&e))?,
        (true, "" | "table") => verbose(&usage).map_err(|e| failed(&e))?,
        (true, "json") => all(&usage).to_string() + "\n",
        (true, template) => {
            let template = Template::parse(template).map_err(|e| failed(&e))?;
            template.render(&all(&usage)).map_err(|e| failed(&e))? + "\n"
        }
    };
    cx.out.text(&text).map_err(|e| failed(&e))?;
    Ok(0)
}

/// One kind of objects: how many, how many in use, their bytes, those of what is not in use.
struct Kind {
    name: &'static str,
    total: usize,
    active: usize,
    bytes: u64,
    free_bytes: u64,
}

fn kinds(usage: &Usage) -> Vec<Row> {
    let running = |status: Status| status.has_supervisor();
    let containers = &usage.containers;
    let free = containers.iter().filter(|one| !running(one.container.state.status));
    let unused = usage.volumes.iter().filter(|volume| volume.links == 0);
    let kinds = [
        Kind {
            name: "Images",
            total: usage.images.len(),
            active: usage.images.iter().filter(|image| image.containers > 0).count(),
            bytes: usage.layer_bytes,
            free_bytes: usage.layer_bytes - usage.used_layer_bytes,
        },
        Kind {
            name: "Containers",
            total: containers.len(),
            active: containers.iter().filter(|one| running(one.container.state.status)).count(),
            bytes: containers.iter().map(|one| one.bytes).sum(),
            free_bytes: free.map(|one| one.bytes).sum(),
        },
        Kind {
            name: "Local Volumes",
            total: usage.volumes.len(),
            active: usage.volumes.iter().filter(|volume| volume.links > 0).count(),
            bytes: usage.volumes.iter().map(|volume| volume.bytes).sum(),
            free_bytes: unused.map(|volume| volume.bytes).sum(),
        },
    ];
    kinds.iter().map(row).collect()
}

fn row(kind: &Kind) -> Row {
    let mut reclaimable = decimal_short(kind.free_bytes);
    if kind.bytes > 0 {
        reclaimable +=
            &format!(" ({}%)", u128::from(kind.free_bytes) * 100 / u128::from(kind.bytes));
    }
    let fields = json!({
        "Active": kind.active.to_string(),
        "Reclaimable": reclaimable,
        "Size": decimal_short(kind.bytes),
        "TotalCount": kind.total.to_string(),
        "Type": kind.name,
    });
    Row { fields, methods: Vec::new() }
}

fn verbose(usage: &Usage) -> Result<String, crate::say::template::TemplateError> {
    let sections = [
        ("Images space usage:", IMAGES, images(usage)),
        ("Containers space usage:", CONTAINERS, containers(usage)),
        ("Local Volumes space usage:", VOLUMES, volumes(usage)),
    ];
    let mut text = String::new();
    for (title, columns, rows) in sections {
        let table = list::render(&columns, "", &rows)?;
        text += &format!("{}{title}\n\n{table}", if text.is_empty() { "" } else { "\n" });
    }
    Ok(text)
}

/// Everything in one object, as `-v --format` has it.
fn all(usage: &Usage) -> Value {
    let fields = |rows: Vec<Row>| rows.into_iter().map(|row| row.fields).collect::<Vec<_>>();
    json!({
        "Images": fields(images(usage)),
        "Containers": fields(containers(usage)),
        "Volumes": fields(volumes(usage)),
        "BuildCache": [],
    })
}

fn images(usage: &Usage) -> Vec<Row> {
    let now = Timestamp::now();
    let rows = usage.images.iter().flat_map(|one| {
        let names = one.image.references.iter();
        let mut names: Vec<(String, String)> = names
            .map(|name| (name.familiar_repository(), name.tag().unwrap_or(NONE).to_owned()))
            .collect();
        if names.is_empty() {
            names.push((NONE.into(), NONE.into()));
        }
        names.into_iter().map(move |name| image(one, &name, now))
    });
    rows.collect()
}

const NONE: &str = "<none>";

fn image(one: &ImageUse, (repository, tag): &(String, String), now: Timestamp) -> Row {
    let ImageUse { image, shared_bytes, containers } = one;
    let created: Option<Timestamp> = image.created.parse().ok();
    let since =
        |at: Timestamp| crate::say::age::duration(now.as_second() - at.as_second()) + " ago";
    let fields = json!({
        "Containers": containers.to_string(),
        "CreatedSince": created.map_or("N/A".into(), since),
        "ID": image.id.short(),
        "Repository": repository,
        "SharedSize": decimal_short(*shared_bytes),
        "Size": decimal_short(image.size_bytes),
        "Tag": tag,
        "UniqueSize": decimal_short(image.size_bytes.saturating_sub(*shared_bytes)),
    });
    Row { fields, methods: Vec::new() }
}

fn containers(usage: &Usage) -> Vec<Row> {
    let row = |one: &super::usage::ContainerUse| Row {
        fields: ps::fields_with_size(&one.container, decimal_short(one.bytes)),
        methods: Vec::new(),
    };
    usage.containers.iter().map(row).collect()
}

fn volumes(usage: &Usage) -> Vec<Row> {
    let rows = usage.volumes.iter().map(|volume| Row {
        fields: json!({
            "Links": volume.links.to_string(),
            "Name": volume.name,
            "Size": decimal(volume.bytes),
        }),
        methods: Vec::new(),
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// V4.30: the share of what is not in use, where there is anything.
    #[test]
    fn reclaimable() {
        let text = |bytes, free_bytes| {
            let kind = Kind { name: "Images", total: 2, active: 1, bytes, free_bytes };
            list::render(&KINDS, "{{.Size}} {{.Reclaimable}}", &[row(&kind)]).unwrap()
        };
        assert_eq!(text(0, 0), "0B 0B\n");
        assert_eq!(text(3000, 1000), "3kB 1kB (33%)\n");
        assert_eq!(text(3000, 3000), "3kB 3kB (100%)\n");
    }
}
