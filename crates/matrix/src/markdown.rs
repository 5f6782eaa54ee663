//! Markdown output of the matrix, for a review in a pull request.

use std::fmt::Write as _;

use clearance::Permission;

use crate::Matrix;
use crate::model::{Cell, InputRows, RuleRow};

impl Matrix {
    /// Renders the matrix as markdown tables.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut page = Page::default();
        self.head(&mut page);
        self.notes(&mut page);
        for entity in &self.entities {
            page.heading(2, &format!("Entity {}", code(&entity.name)));
            page.line(&format!("Table {}.", code(&entity.table)));
            self.table(&mut page, &["operation", "rule"]);
            for row in &entity.operations {
                let stated = match &row.reason {
                    Some(reason) if row.rules.is_empty() => {
                        format!("{}: {}", row.stated, plain(reason))
                    }
                    Some(reason) => format!(
                        "{}: {}<br>but {}",
                        row.stated,
                        plain(reason),
                        rules(&row.rules)
                    ),
                    None if row.rules.is_empty() => row.stated.to_owned(),
                    None => rules(&row.rules),
                };
                page.row([about(&row.operation), stated], &row.cells);
            }
            if !entity.relations.is_empty() {
                page.blank();
                page.line("| relation | leads to | joined on |");
                page.line("|---|---|---|");
            }
            for relation in &entity.relations {
                page.line(&format!(
                    "| {} | {} of {} | {} |",
                    code(&relation.relation),
                    relation.leads_to,
                    code(&relation.entity),
                    about(&relation.joined())
                ));
            }
            page.blank();
            page.line("| field | column | holds | null | use |");
            page.line("|---|---|---|---|---|");
            for column in &entity.columns {
                let null = if column.nullable { "yes" } else { "no" };
                page.line(&format!(
                    "| {} | {} | {} | {null} | {} |",
                    code(&column.field),
                    code(&column.column),
                    plain(&column.kind),
                    column.usage
                ));
            }
        }
        for dto in &self.dtos {
            page.heading(2, &format!("DTO {}", code(&dto.name)));
            page.line(&format!(
                "Shows rows of {}; the answers speak of rows that can be read.",
                code(&dto.entity)
            ));
            self.table(&mut page, &["field", "rule", "when hidden"]);
            for row in &dto.fields {
                let field = if row.key == row.field {
                    code(&row.field)
                } else {
                    format!("{} as {}", code(&row.field), code(&row.key))
                };
                let (made_of, hidden) = row.notes();
                let field = match made_of {
                    Some(made_of) => format!("{field}<br>{}", about(&made_of)),
                    None => field,
                };
                let mut stated = if row.rules.is_empty() && hidden.is_none() {
                    "visible".to_owned()
                } else {
                    rules(&row.rules)
                };
                if let Some(hidden) = hidden {
                    stated = [stated, about(&hidden)].join(if row.rules.is_empty() {
                        ""
                    } else {
                        "<br>"
                    });
                }
                page.row([field, stated, row.when_hidden.to_owned()], &row.cells);
            }
        }
        for input in &self.inputs {
            self.input(&mut page, input);
        }
        for repository in &self.repositories {
            page.heading(2, &format!("Repository {}", code(&repository.name)));
            page.line(METHODS);
            self.table(&mut page, &["method", "action", "guard"]);
            for row in &repository.methods {
                let guard = match &row.text {
                    None => row.guard.to_owned(),
                    Some(text) if row.guard == "public" => format!("public: {}", plain(text)),
                    Some(text) => code(text),
                };
                page.row(
                    [
                        code(&row.method),
                        row.action.to_owned(),
                        format!("{guard}<br>{}", plain(&row.at)),
                    ],
                    &row.cells,
                );
            }
        }
        page.heading(2, "What rules read of a request");
        page.line("| attribute | is | read by |");
        page.line("|---|---|---|");
        for row in &self.context_attributes {
            let read = if row.read_at.is_empty() {
                "nothing".to_owned()
            } else {
                plain(&row.read_at.join(", "))
            };
            page.line(&format!(
                "| {} | {} | {read} |",
                code(row.attribute),
                row.meaning
            ));
        }
        page.text
    }

    fn head(&self, page: &mut Page) {
        page.line("# Access matrix");
        page.blank();
        page.line(
            "Who may do and see what, made from the types. *Depends* means that the row decides; \
             what it must hold stands beside it.",
        );
        page.line(&format!(
            "Worked out at {}, from {}.",
            plain(&self.context.now),
            self.context
                .address
                .as_deref()
                .map_or_else(|| "an unknown address".to_owned(), plain)
        ));
    }

    fn notes(&self, page: &mut Page) {
        page.heading(
            2,
            &format!("Escape hatches ({})", self.escape_hatches.len()),
        );
        if !self.source_was_read {
            page.line(SOURCE_NOT_READ);
            page.blank();
        }
        if self.escape_hatches.is_empty() {
            page.line("None.");
        } else {
            page.line("| kind | what | reason | where |");
            page.line("|---|---|---|---|");
        }
        for hatch in &self.escape_hatches {
            page.line(&format!(
                "| {} | {} | {} | {} |",
                hatch.kind,
                code(&hatch.what),
                hatch.reason.as_deref().map(plain).unwrap_or_default(),
                hatch.at.as_deref().map(plain).unwrap_or_default()
            ));
        }
        page.heading(2, &format!("Lints ({})", self.lints.len()));
        if !self.schema_was_read {
            page.line(SCHEMA_NOT_READ);
            page.blank();
        }
        if self.lints.is_empty() {
            page.line("None.");
        }
        for group in self.lints.chunk_by(|one, other| one.lint == other.lint) {
            for lint in group.iter().take(1) {
                page.heading(3, &format!("{} ({})", capital(lint.lint), group.len()));
                page.line(&format!("{}.", about(&capital(lint.advice))));
                page.blank();
            }
            for lint in group {
                let mut line = format!("- {}.", about(&capital(&lint.about)));
                if !lint.at.is_empty() {
                    line.push_str(&format!("<br>{}", plain(&lint.at.join(", "))));
                }
                page.line(&line);
            }
        }
    }

    fn input(&self, page: &mut Page, input: &InputRows) {
        let kind = input.kind();
        page.heading(2, &format!("{} {}", kind.title, code(&input.name)));
        let speaks_of = about(kind.speaks_of);
        page.line(&format!(
            "{} {}; {speaks_of}.",
            kind.does,
            code(&input.entity)
        ));
        self.table(page, &["field", "rule"]);
        let stated = format!("as {} states, given the presets", code(&input.entity));
        page.row([format!("*{}*", input.action.as_str()), stated], &input.row);
        for row in &input.fields {
            let field = if row.key == row.field {
                code(&row.field)
            } else {
                format!("{} as {}", code(&row.field), code(&row.key))
            };
            let mut stated = if row.rules.is_empty() {
                row.without_rules().to_owned()
            } else {
                rules(&row.rules)
            };
            if let (Some(reads), false) = (&input.reads, row.shown_if.is_empty()) {
                let shown = rules(&row.shown_if);
                stated.push_str(&format!("<br>where {} shows it: {shown}", code(reads)));
            }
            page.row(
                [format!("{field}<br>{}", about(&row.notes())), stated],
                &row.cells,
            );
        }
        page.blank();
        for preset in &input.presets {
            page.line(&format!(
                "- Set by the program: {}.<br>{}",
                code(&format!("{} = {}", preset.field, preset.value)),
                plain(&preset.at)
            ));
        }
    }

    fn table(&self, page: &mut Page, first: &[&str]) {
        page.blank();
        let mut head = first.join(" | ");
        for viewer in &self.viewers {
            head.push_str(" | ");
            head.push_str(&plain(viewer));
        }
        page.line(&format!("| {head} |"));
        page.line(&format!(
            "|{}",
            "---|".repeat(first.len() + self.viewers.len())
        ));
    }
}

pub(crate) const SOURCE_NOT_READ: &str = "Calls of `unguarded_pool`, `unguarded_sql` and \
    `Access::system`, `Db::viewers`, and of `Reader::secret` in public methods, are not known from types. \
    `clearance_matrix::review` reads the source for them.";
pub(crate) const METHODS: &str = "A method runs inside a request. The program itself has no access \
    there, so it calls none.";
pub(crate) const SCHEMA_NOT_READ: &str =
    "Indexes and collations were not looked at: `with_schema` was not called.";

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    fn blank(&mut self) {
        if !self.text.ends_with("\n\n") {
            self.line("");
        }
    }

    fn heading(&mut self, level: usize, heading: &str) {
        self.blank();
        self.line(&format!("{} {heading}", "#".repeat(level)));
        self.blank();
    }

    fn row<const N: usize>(&mut self, first: [String; N], cells: &[Cell]) {
        let mut row = first.join(" | ");
        for cell in cells {
            row.push_str(" | ");
            match (cell.answer, &cell.when) {
                (Permission::Depends, Some(when)) => {
                    row.push_str(&format!("depends: {}", code(when)));
                }
                (answer, _) => row.push_str(answer.as_str()),
            }
        }
        self.line(&format!("| {row} |"));
    }
}

fn rules(rules: &[RuleRow]) -> String {
    let rules: Vec<String> = rules
        .iter()
        .map(|rule| format!("{}<br>{}", code(&rule.text), plain(&rule.at)))
        .collect();
    rules.join("<br>and ")
}

/// Renders text as a code span that fits into a table cell.
fn code(text: &str) -> String {
    let text = one_line(text).replace('|', "\\|");
    if text.contains('`') {
        format!("`` {text} ``")
    } else {
        format!("`{text}`")
    }
}

/// Escapes text so that markdown has no effect in it.
fn plain(text: &str) -> String {
    escaped(&one_line(text))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '<' | '>' | '|' | '[' | ']' | '&' | '_'
        ) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Renders one of the library's own sentences, in which names are between backticks.
fn about(text: &str) -> String {
    text.split('`')
        .enumerate()
        .map(|(index, part)| {
            if index % 2 == 1 {
                code(part)
            } else {
                escaped(part)
            }
        })
        .collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}
