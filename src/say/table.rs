//! Columns: each as wide as its longest cell and three blanks, and at least ten (V4.16).

const PADDING: usize = 3;
const MIN_WIDTH: usize = 10;

/// Aligns lines whose cells are separated by tabs. The last cell of a line has no column.
///
/// A column goes on as long as the lines have it: a line with fewer cells ends it, and the lines
/// after that begin one anew, as Go's tabwriter does.
pub fn align(lines: &[String]) -> String {
    // A line of a list is what its template gave, and that may have line breaks of its own.
    let lines = lines.iter().flat_map(|line| line.split('\n'));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split('\t').collect()).collect();
    let mut widths: Vec<Vec<usize>> = vec![Vec::new(); rows.len()];
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    for column in 0..columns.saturating_sub(1) {
        let mut start = 0;
        while start < rows.len() {
            let has_column = |row: &&Vec<&str>| row.len() > column + 1;
            let run = rows[start..].iter().take_while(has_column).count();
            let longest = rows[start..start + run].iter().map(|row| width(row[column])).max();
            let width = MIN_WIDTH.max(longest.unwrap_or(0) + PADDING);
            widths[start..start + run].iter_mut().for_each(|row| row.push(width));
            start += run.max(1);
        }
    }
    let mut out = String::new();
    for (row, widths) in rows.iter().zip(&widths) {
        for (cell, column) in row.iter().zip(widths) {
            out += cell;
            out.extend(std::iter::repeat_n(' ', column - width(cell)));
        }
        out += row.last().unwrap_or(&"");
        out.push('\n');
    }
    out
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aligned(lines: &[&str]) -> String {
        align(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    /// V4.16: the header of `volume ls` and a row, as Docker prints them.
    #[test]
    fn volume_ls() {
        assert_eq!(
            aligned(&["DRIVER\tVOLUME NAME", "local\tx"]),
            "DRIVER    VOLUME NAME\nlocal     x\n"
        );
    }

    /// The longest cell decides, and an empty last cell leaves the column's blanks.
    #[test]
    fn longest_cell() {
        let lines = ["VOLUME NAME\tDRIVER\tk", "averyverylongname\tlocal\t", "x\tlocal\tv"];
        assert_eq!(
            aligned(&lines),
            "VOLUME NAME         DRIVER    k\n\
             averyverylongname   local     \n\
             x                   local     v\n"
        );
    }

    /// Characters count, not bytes; a line without a column ends it.
    #[test]
    fn odd_lines() {
        assert_eq!(aligned(&["äöüäöüäöü\tx", "y\tx"]), "äöüäöüäöü   x\ny           x\n");
        assert_eq!(
            aligned(&["aaaaaaaaaaaaaaa\tb", "alone", "c\td"]),
            "aaaaaaaaaaaaaaa   b\nalone\nc         d\n"
        );
        assert_eq!(aligned(&[]), "");
        assert_eq!(aligned(&[""]), "\n");
    }
}
