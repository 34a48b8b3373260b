//! `rrun history`, also `rrun image history`.

use jiff::Timestamp;
use serde_json::json;

use super::{Context, Outcome};
use crate::image::store::Past;
use crate::image::{Image, ImageError, ImageStore};
use crate::say::failure::Failure;
use crate::say::list::{self, Columns};
use crate::say::template::Row;
use crate::say::{age, size};

/// Show how an image was made, the newest step first
#[derive(Debug, clap::Args)]
pub struct Cmd {
    /// How to print: table, table TEMPLATE, json, or a Go template for each step
    #[arg(long, value_name = "FORMAT", default_value = "", hide_default_value = true)]
    format: String,
    /// Sizes and dates for people; --human=false gives bytes and times
    #[arg(
        short = 'H',
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        default_value = "true",
        hide_default_value = true
    )]
    human: String,
    /// Do not shorten anything
    #[arg(long)]
    no_trunc: bool,
    /// Only print the ids
    #[arg(short, long)]
    quiet: bool,
    /// The image
    #[arg(required = true, value_name = "IMAGE")]
    image: String,
}

const COLUMNS: Columns = Columns {
    headers: &[
        ("Comment", "COMMENT"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedBy", "CREATED BY"),
        ("CreatedSince", "CREATED"),
        ("ID", "IMAGE"),
        ("Size", "SIZE"),
    ],
    table: "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
    raw: "",
};

/// The same with `--human=false`.
const EXACT: Columns = Columns {
    table: "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
    ..COLUMNS
};

/// How long a command is at most.
const COMMAND_CHARACTERS: usize = 45;

/// Shows the steps.
pub fn run(cmd: &Cmd, cx: &Context) -> Outcome {
    let failed = |cause: &dyn std::fmt::Display| {
        Failure::new(format!("show the history of image {}", cmd.image), cause)
    };
    let human = match cmd.human.as_str() {
        "true" | "1" => true,
        "false" | "0" => false,
        other => return Err(failed(&format!("invalid argument {other:?} for --human"))),
    };
    let read = || -> Result<(Image, Vec<Past>), ImageError> {
        let images = ImageStore::open(&cx.store)?;
        let image = images.get(&cmd.image)?;
        let steps = images.history(&image)?;
        Ok((image, steps))
    };
    let (image, steps) = read().map_err(|e| failed(&e))?;
    let id = if cmd.no_trunc { image.id.to_string() } else { image.id.short().to_owned() };
    let now = Timestamp::now();
    let rows: Vec<Row> = steps
        .iter()
        .enumerate()
        .map(|(at, step)| {
            // Only the newest step is an image; those below it never were, or are not known.
            let id = if at == 0 { &id } else { "<missing>" };
            row(step, id, &Shown { now, human, whole: cmd.no_trunc })
        })
        .collect();
    let columns = if human { &COLUMNS } else { &EXACT };
    let format = if cmd.quiet { "{{.ID}}" } else { &cmd.format };
    let text = list::render(columns, format, &rows).map_err(|e| failed(&e))?;
    cx.out.text(&text).map_err(|e| failed(&e))?;
    Ok(0)
}

/// How a step is shown.
struct Shown {
    now: Timestamp,
    human: bool,
    whole: bool,
}

fn row(step: &Past, id: &str, shown: &Shown) -> Row {
    let created: Option<Timestamp> = step.created.parse().ok();
    let since = |at: Timestamp| age::duration(shown.now.as_second() - at.as_second()) + " ago";
    let at = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut command = step.created_by.replace('\t', " ");
    if !shown.whole && command.chars().count() > COMMAND_CHARACTERS {
        command = command.chars().take(COMMAND_CHARACTERS - 1).chain(['…']).collect();
    }
    let bytes = step.size_bytes;
    let fields = json!({
        "Comment": step.comment,
        "CreatedAt": created.map(at).unwrap_or_default(),
        "CreatedBy": command,
        "CreatedSince": created.map_or("N/A".into(), since),
        "ID": id,
        "Size": if shown.human { size::decimal_short(bytes) } else { bytes.to_string() },
    });
    Row { fields, methods: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A long command is cut; sizes and times are for people or exact.
    #[test]
    fn rows() {
        let step = Past {
            created: "2024-05-01T10:00:00.5Z".into(),
            created_by: "RUN\t".to_owned() + &"x".repeat(60),
            comment: "c".into(),
            size_bytes: 1500,
        };
        let of = |human, whole| {
            let now = "2024-05-01T12:00:00Z".parse().unwrap();
            let rows = [row(&step, "id", &Shown { now, human, whole })];
            let format = "{{.CreatedSince}}|{{.CreatedAt}}|{{.CreatedBy}}|{{.Size}}";
            list::render(&COLUMNS, format, &rows).unwrap()
        };
        let (cut, long) = ("x".repeat(40), "x".repeat(60));
        let times = "2 hours ago|2024-05-01T10:00:00Z";
        assert_eq!(of(true, false), format!("{times}|RUN {cut}…|1.5kB\n"));
        assert_eq!(of(false, true), format!("{times}|RUN {long}|1500\n"));
    }
}
