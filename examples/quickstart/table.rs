//! Tables that are printed, and compared with what they should be.

use std::fmt::Write as _;

const WIDTH: usize = 98;

/// A title, the names of the columns, and rows of a name and a cell for each column.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<(String, Vec<String>)>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        Self {
            title: title.into(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row<C: Into<String>>(
        &mut self,
        name: impl Into<String>,
        cells: impl IntoIterator<Item = C>,
    ) {
        let cells = cells.into_iter().map(Into::into).collect();
        self.rows.push((name.into(), cells));
    }

    /// Every cell in which `self`, which was observed, is not as `expected`, in a line of text.
    pub(crate) fn mismatches(&self, expected: &Self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.columns != expected.columns || self.rows.len() != expected.rows.len() {
            wrong.push(format!("{}: the tables have different shapes", self.title));
        }
        for ((name, observed), (wanted_name, wanted)) in self.rows.iter().zip(&expected.rows) {
            if name != wanted_name || observed.len() != wanted.len() {
                wrong.push(format!("{}: row `{wanted_name}` is not there", self.title));
                continue;
            }
            for ((column, observed), wanted) in self.columns.iter().zip(observed).zip(wanted) {
                if observed != wanted {
                    wrong.push(format!(
                        "{}: {name}, {column}: expected `{wanted}`, got `{observed}`",
                        self.title
                    ));
                }
            }
        }
        wrong
    }

    pub(crate) fn print(&self, out: &mut String) {
        let first = widest(self.rows.iter().map(|(name, _)| name.as_str()));
        let widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let cells = self.rows.iter().filter_map(|(_, cells)| cells.get(index));
                widest(cells.map(String::as_str).chain([column.as_str()]))
            })
            .collect();
        let mut line = |name: &str, cells: &[String]| {
            let mut text = format!("  {name:first$}");
            for (cell, width) in cells.iter().zip(&widths) {
                text.push_str(&format!("  {cell:width$}"));
            }
            out.push_str(text.trim_end());
            out.push('\n');
        };
        let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        line(&self.title, &[]);
        line("", &self.columns);
        line(&"-".repeat(first), &rules);
        for (name, cells) in &self.rows {
            line(name, cells);
        }
        out.push('\n');
    }
}

fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

/// Prints `text` below `name`, broken between words.
pub(crate) fn print_wrapped(out: &mut String, name: &str, text: &str) {
    let _ = writeln!(out, "  {name}");
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && 4 + line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "    {line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(out, "    {line}");
}
