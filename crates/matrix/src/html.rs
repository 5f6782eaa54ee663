//! HTML output of the matrix: one page without script, fonts or anything from the network.

use std::fmt::Write as _;

use clearance::Permission;

use crate::Matrix;
use crate::markdown::{METHODS, SCHEMA_NOT_READ, SOURCE_NOT_READ, capital};
use crate::model::{Cell, RuleRow};

impl Matrix {
    /// Renders the matrix as a self-contained HTML page: it loads nothing, runs no script, and can be
    /// printed. Every text is escaped.
    #[must_use]
    pub fn to_html(&self) -> String {
        let mut page = String::new();
        page.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        page.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        page.push_str("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
        page.push_str("<title>Access matrix</title>\n<style>\n");
        page.push_str(include_str!("page.css"));
        page.push_str("</style>\n</head>\n<body>\n");
        self.navigation(&mut page);
        page.push_str("<main>\n");
        self.summary(&mut page);
        self.hatches(&mut page);
        self.lints(&mut page);
        self.entities(&mut page);
        self.dtos(&mut page);
        self.inputs(&mut page);
        self.repositories(&mut page);
        self.attributes(&mut page);
        page.push_str("</main>\n</body>\n</html>\n");
        page
    }

    fn navigation(&self, page: &mut String) {
        page.push_str("<header>\n<strong>Access matrix</strong>\n<nav aria-label=\"Sections\">\n");
        link(
            page,
            "hatches",
            &format!("Escape hatches ({})", self.escape_hatches.len()),
        );
        link(page, "lints", &format!("Lints ({})", self.lints.len()));
        for entity in &self.entities {
            link(page, &anchor("entity", &entity.name), &entity.name);
        }
        for dto in &self.dtos {
            link(page, &anchor("dto", &dto.name), &dto.name);
        }
        for input in &self.inputs {
            link(page, &anchor("input", &input.name), &input.name);
        }
        for repository in &self.repositories {
            link(
                page,
                &anchor("repository", &repository.name),
                &repository.name,
            );
        }
        link(page, "request", "Request");
        page.push_str("</nav>\n</header>\n");
    }

    fn summary(&self, page: &mut String) {
        page.push_str("<h1>Who may do and see what</h1>\n");
        put(
            page,
            format_args!(
                "<p>Made from the types, for {} viewers, at {}, from {}. ",
                self.viewers.len(),
                escape(&self.context.now),
                escape(
                    self.context
                        .address
                        .as_deref()
                        .unwrap_or("an unknown address")
                )
            ),
        );
        page.push_str(
            "<span class=\"yes\">\u{2713} yes</span> <span class=\"no\">\u{2717} no</span> ",
        );
        page.push_str("<span class=\"depends\">\u{25d0} depends</span> on the row; what it must hold stands below the word.</p>\n");
    }

    fn hatches(&self, page: &mut String) {
        put(
            page,
            format_args!(
                "<section id=\"hatches\">\n<h2>Escape hatches <small>{}</small></h2>\n",
                self.escape_hatches.len()
            ),
        );
        if !self.source_was_read {
            put(
                page,
                format_args!("<p class=\"note\">{}</p>\n", about(SOURCE_NOT_READ)),
            );
        }
        if !self.escape_hatches.is_empty() {
            open_table(page, &["kind", "what", "reason", "where"], &[]);
            for hatch in &self.escape_hatches {
                put(
                    page,
                    format_args!(
                        "<tr><td>{}</td><th scope=\"row\"><code>{}</code></th><td>{}</td><td class=\"at\">{}</td></tr>\n",
                        escape(hatch.kind),
                        escape(&hatch.what),
                        escape(hatch.reason.as_deref().unwrap_or_default()),
                        escape(hatch.at.as_deref().unwrap_or_default())
                    ),
                );
            }
            close_table(page);
        }
        page.push_str("</section>\n");
    }

    fn lints(&self, page: &mut String) {
        put(
            page,
            format_args!(
                "<section id=\"lints\">\n<h2>Lints <small>{}</small></h2>\n",
                self.lints.len()
            ),
        );
        if !self.schema_was_read {
            put(
                page,
                format_args!("<p class=\"note\">{}</p>\n", about(SCHEMA_NOT_READ)),
            );
        }
        for group in self.lints.chunk_by(|one, other| one.lint == other.lint) {
            for lint in group.iter().take(1) {
                put(
                    page,
                    format_args!(
                        "<h3>{} <small>{}</small></h3>\n<p>{}.</p>\n",
                        escape(&capital(lint.lint)),
                        group.len(),
                        about(&capital(lint.advice))
                    ),
                );
            }
            page.push_str("<ul>\n");
            for lint in group {
                put(
                    page,
                    format_args!(
                        "<li>{}. <span class=\"at\">{}</span></li>\n",
                        about(&capital(&lint.about)),
                        escape(&lint.at.join(", "))
                    ),
                );
            }
            page.push_str("</ul>\n");
        }
        page.push_str("</section>\n");
    }

    fn entities(&self, page: &mut String) {
        for entity in &self.entities {
            section(page, "entity", "Entity", &entity.name);
            put(
                page,
                format_args!("<p>Table <code>{}</code>.</p>\n", escape(&entity.table)),
            );
            open_table(page, &["operation", "rule"], &self.viewers);
            for row in &entity.operations {
                let stated = match &row.reason {
                    Some(reason) if !row.rules.is_empty() => format!(
                        "{}: {}, but {}",
                        escape(row.stated),
                        escape(reason),
                        rules(&row.rules)
                    ),
                    Some(reason) => format!("{}: {}", escape(row.stated), escape(reason)),
                    None if row.rules.is_empty() => escape(row.stated),
                    None => rules(&row.rules),
                };
                let first = format!(
                    "<th scope=\"row\">{}</th><td>{stated}</td>",
                    about(&row.operation)
                );
                answers(page, &first, &row.cells);
            }
            close_table(page);
            if !entity.relations.is_empty() {
                open_table(page, &["relation", "leads to", "joined on"], &[]);
                for relation in &entity.relations {
                    put(
                        page,
                        format_args!(
                            "<tr><th scope=\"row\"><code>{}</code></th><td>{} of <code>{}</code></td><td>{}</td></tr>\n",
                            escape(&relation.relation),
                            escape(relation.leads_to),
                            escape(&relation.entity),
                            about(&relation.joined())
                        ),
                    );
                }
                close_table(page);
            }
            put(
                page,
                format_args!(
                    "<details><summary>{} columns</summary>\n",
                    entity.columns.len()
                ),
            );
            open_table(page, &["field", "column", "holds", "null", "use"], &[]);
            for column in &entity.columns {
                put(
                    page,
                    format_args!(
                        "<tr><th scope=\"row\"><code>{}</code></th><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                        escape(&column.field),
                        escape(&column.column),
                        escape(&column.kind),
                        if column.nullable { "yes" } else { "no" },
                        escape(column.usage)
                    ),
                );
            }
            close_table(page);
            page.push_str("</details>\n</section>\n");
        }
    }

    fn dtos(&self, page: &mut String) {
        for dto in &self.dtos {
            section(page, "dto", "DTO", &dto.name);
            put(
                page,
                format_args!(
                    "<p>Shows rows of <a href=\"#{}\"><code>{}</code></a>; the answers speak of rows that can be read.</p>\n",
                    anchor("entity", &dto.entity),
                    escape(&dto.entity)
                ),
            );
            open_table(page, &["field", "rule", "when hidden"], &self.viewers);
            for row in &dto.fields {
                let (made_of, hidden) = row.notes();
                let made_of = made_of.map(|made_of| format!("<br>{}", about(&made_of)));
                let made_of = made_of.unwrap_or_default();
                let mut stated = if row.rules.is_empty() && hidden.is_none() {
                    "visible".to_owned()
                } else {
                    rules(&row.rules)
                };
                if let Some(hidden) = hidden {
                    stated = format!("{stated} {}", about(&hidden));
                }
                let key = if row.key == row.field {
                    String::new()
                } else {
                    format!(" as <code>{}</code>", escape(&row.key))
                };
                let first = format!(
                    "<th scope=\"row\"><code>{}</code>{key}{made_of}</th><td>{stated}</td><td>{}</td>",
                    escape(&row.field),
                    escape(row.when_hidden)
                );
                answers(page, &first, &row.cells);
            }
            close_table(page);
            page.push_str("</section>\n");
        }
    }

    fn inputs(&self, page: &mut String) {
        for input in &self.inputs {
            let kind = input.kind();
            section(page, "input", kind.title, &input.name);
            let entity = format!(
                "<a href=\"#{}\"><code>{}</code></a>",
                anchor("entity", &input.entity),
                escape(&input.entity)
            );
            put(
                page,
                format_args!(
                    "<p>{} {entity}; {}.</p>\n",
                    kind.does,
                    about(kind.speaks_of)
                ),
            );
            open_table(page, &["field", "rule"], &self.viewers);
            let first = format!(
                "<th scope=\"row\">{}</th><td>as <code>{}</code> states, given the presets</td>",
                input.action.as_str(),
                escape(&input.entity)
            );
            answers(page, &first, &input.row);
            for row in &input.fields {
                let key = if row.key == row.field {
                    String::new()
                } else {
                    format!(" as <code>{}</code>", escape(&row.key))
                };
                let mut stated = if row.rules.is_empty() {
                    row.without_rules().to_owned()
                } else {
                    rules(&row.rules)
                };
                if let (Some(reads), false) = (&input.reads, row.shown_if.is_empty()) {
                    put(
                        &mut stated,
                        format_args!(
                            "<br>where <code>{}</code> shows it: {}",
                            escape(reads),
                            rules(&row.shown_if)
                        ),
                    );
                }
                let first = format!(
                    "<th scope=\"row\"><code>{}</code>{key}<br>{}</th><td>{stated}</td>",
                    escape(&row.field),
                    about(&row.notes())
                );
                answers(page, &first, &row.cells);
            }
            close_table(page);
            if !input.presets.is_empty() {
                page.push_str("<ul>\n");
                for preset in &input.presets {
                    put(
                        page,
                        format_args!(
                            "<li>Set by the program: <code>{} = {}</code>. <span class=\"at\">{}</span></li>\n",
                            escape(&preset.field),
                            escape(&preset.value),
                            escape(&preset.at)
                        ),
                    );
                }
                page.push_str("</ul>\n");
            }
            page.push_str("</section>\n");
        }
    }

    fn repositories(&self, page: &mut String) {
        for repository in &self.repositories {
            section(page, "repository", "Repository", &repository.name);
            put(page, format_args!("<p>{METHODS}</p>\n"));
            open_table(page, &["method", "action", "guard"], &self.viewers);
            for row in &repository.methods {
                let guard = match &row.text {
                    None => escape(row.guard),
                    Some(text) if row.guard == "public" => format!("public: {}", escape(text)),
                    Some(text) => format!("<code>{}</code>", escape(text)),
                };
                let first = format!(
                    "<th scope=\"row\"><code>{}</code></th><td>{}</td><td>{guard} <span class=\"at\">{}</span></td>",
                    escape(&row.method),
                    escape(row.action),
                    escape(&row.at)
                );
                answers(page, &first, &row.cells);
            }
            close_table(page);
            page.push_str("</section>\n");
        }
    }

    fn attributes(&self, page: &mut String) {
        page.push_str("<section id=\"request\">\n<h2>What rules read of a request</h2>\n");
        open_table(page, &["attribute", "is", "read by"], &[]);
        for row in &self.context_attributes {
            let read = if row.read_at.is_empty() {
                "nothing".to_owned()
            } else {
                row.read_at.join(", ")
            };
            put(
                page,
                format_args!(
                    "<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td class=\"at\">{}</td></tr>\n",
                    escape(row.attribute),
                    escape(row.meaning),
                    escape(&read)
                ),
            );
        }
        close_table(page);
        page.push_str("</section>\n");
    }
}

fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = page.write_fmt(text);
}

fn link(page: &mut String, anchor: &str, text: &str) {
    put(
        page,
        format_args!("<a href=\"#{anchor}\">{}</a>\n", escape(text)),
    );
}

fn section(page: &mut String, kind: &str, title: &str, name: &str) {
    let anchor = anchor(kind, name);
    put(
        page,
        format_args!(
            "<section id=\"{anchor}\">\n<h2><a href=\"#{anchor}\">{title} <code>{}</code></a></h2>\n",
            escape(name)
        ),
    );
}

fn open_table(page: &mut String, first: &[&str], viewers: &[String]) {
    page.push_str("<div class=\"table\"><table>\n<thead><tr>");
    for name in first
        .iter()
        .copied()
        .chain(viewers.iter().map(String::as_str))
    {
        put(
            page,
            format_args!("<th scope=\"col\">{}</th>", escape(name)),
        );
    }
    page.push_str("</tr></thead>\n<tbody>\n");
}

fn close_table(page: &mut String) {
    page.push_str("</tbody>\n</table></div>\n");
}

fn answers(page: &mut String, first: &str, cells: &[Cell]) {
    put(page, format_args!("<tr>{first}"));
    for cell in cells {
        let (class, mark) = match cell.answer {
            Permission::Yes => ("yes", "\u{2713}"),
            Permission::No => ("no", "\u{2717}"),
            Permission::Depends => ("depends", "\u{25d0}"),
        };
        put(
            page,
            format_args!("<td class=\"{class}\"><span aria-hidden=\"true\">{mark}</span> {class}"),
        );
        if let Some(when) = &cell.when {
            put(page, format_args!("<code>{}</code>", escape(when)));
        }
        page.push_str("</td>");
    }
    page.push_str("</tr>\n");
}

fn rules(rules: &[RuleRow]) -> String {
    let rules: Vec<String> = rules
        .iter()
        .map(|rule| {
            format!(
                "<code>{}</code> <span class=\"at\">{}</span>",
                escape(&rule.text),
                escape(&rule.at)
            )
        })
        .collect();
    rules.join("<br>and ")
}

/// Makes an anchor that is valid in a link: letters and digits are kept, others are written by number.
fn anchor(kind: &str, name: &str) -> String {
    let mut anchor = format!("{kind}-");
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            anchor.push(c);
        } else {
            put(&mut anchor, format_args!("_{:x}", u32::from(c)));
        }
    }
    anchor
}

/// Renders one of the library's own sentences, in which names are between backticks.
fn about(text: &str) -> String {
    text.split('`')
        .enumerate()
        .map(|(index, part)| {
            if index % 2 == 1 {
                format!("<code>{}</code>", escape(part))
            } else {
                escape(part)
            }
        })
        .collect()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
