//! The access matrix: X7, X8, X11, DT-09, ASVS 8.1 and 8.2.

use clearance::{Db, Dto, Entity, Field, Result, repository, rule};
use clearance_matrix::{Matrix, MatrixBuilder};

use crate::support::*;

#[rule]
fn in_office(viewer: &Member, row: &Person, context: &clearance::policy::Context) -> bool {
    viewer.role >= Role::Editor && row.published_at <= context.now
}

fn stars(phone: Option<String>) -> Option<String> {
    phone.map(|phone| "*".repeat(phone.len()))
}

fn knows(viewer: &Member, row: &Person, _: &clearance::policy::Context) -> bool {
    viewer.id == row.id
}

#[derive(Debug, Dto)]
#[dto(entity = Person)]
#[serde(rename_all = "camelCase")]
struct Card {
    #[visible]
    id: i64,
    #[visible_if(rule = in_office)]
    published_at: Field<Option<chrono::DateTime<chrono::Utc>>>,
    #[hidden_if(row.suspended)]
    #[dto(mask = domain)]
    email: Option<String>,
    #[visible_if(viewer.role >= Role::Admin)]
    #[dto(mask_in_process = stars)]
    phone: Option<String>,
    #[visible_if(opaque(knows))]
    salary: Field<i64>,
    #[visible_if(row.username < viewer.team.clone().unwrap_or_default())]
    username: Field<String>,
    #[visible_if(row.author == viewer.id)]
    slug: Field<String>,
}

#[derive(Entity)]
#[entity(table = "notes", viewer = Member, rows = open, reason = "notes are | <b>public</b>")]
struct Note {
    #[entity(key)]
    id: i64,
    text: String,
}

struct People {
    db: Db,
}

#[repository(viewer = Member)]
impl People {
    #[authenticated(access)]
    pub async fn card(&self, id: i64) -> Result<Card> {
        let reader = self.db.reader(&access);
        reader.one(Card::select().lookup(Person::ID, id)).await
    }

    #[authorize(access: Write, if viewer.role >= Role::Editor)]
    pub async fn rename(&self, id: i64, name: &str) -> Result<()> {
        let writer = self.db.writer(&access);
        let update = writer.update::<Person>(id);
        update
            .set(Person::USERNAME, name.to_owned())
            .execute()
            .await
    }

    #[authorize(access, if viewer.id == id && context.address.is_some())]
    pub async fn own(&self, id: i64) -> Result<Card> {
        let reader = self.db.reader(&access);
        reader.one(Card::select().lookup(Person::ID, id)).await
    }

    #[public(access, reason = "the sign-in page shows names")]
    pub async fn names(&self) -> Result<Vec<Profile>> {
        self.db.reader(&access).all(Profile::select()).await
    }
}

clearance::app! {
    pub static APP = {
        viewer: Member,
        entities: [Note],
        dtos: [Profile, Card],
        repositories: [People],
    };
}

pub fn sample() -> [Member; 3] {
    [admin(), editor(), stranger()]
}

pub fn with_viewers<'a>(
    matrix: MatrixBuilder<'a, Member>,
    [admin, editor, stranger]: &'a [Member; 3],
) -> MatrixBuilder<'a, Member> {
    matrix
        .viewer("admin", admin)
        .viewer("editor", editor)
        .viewer("stranger", stranger)
}

fn matrix() -> Matrix {
    with_viewers(Matrix::of(&APP), &sample()).build().unwrap()
}

pub fn json(matrix: &Matrix) -> serde_json::Value {
    serde_json::from_str(&matrix.to_json().unwrap()).unwrap()
}

/// The rows of a list in the matrix, each as `name: answers`.
fn answers(rows: &serde_json::Value, name: &str) -> Vec<String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let cells = row["cells"].as_array().unwrap();
            let cells: Vec<_> = cells.iter().map(|cell| text(&cell["answer"])).collect();
            format!("{}: {}", text(&row[name]), cells.join(" "))
        })
        .collect()
}

fn without_line_numbers(text: &str) -> String {
    let mut parts = text.split(".rs:");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept.push_str(".rs:N");
        kept.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    kept
}

#[test]
fn x7_asvs_8_1_1_asvs_8_1_2_asvs_8_1_3_the_whole_matrix_as_markdown() {
    insta::assert_snapshot!(without_line_numbers(&matrix().to_markdown()));
}

#[test]
fn x7_dt_09_the_json_has_a_version_and_a_fixed_order() {
    let text = matrix().to_json().unwrap();
    assert!(text.starts_with("{\n  \"clearance_matrix\": 1,\n"));
    assert_eq!(text, matrix().to_json().unwrap());
    insta::assert_snapshot!(without_line_numbers(&text));
}

#[test]
fn x7_x11_nobody_and_system_are_columns_of_every_matrix() {
    let matrix = json(&Matrix::of(&APP).build().unwrap());
    assert_eq!(matrix["viewers"], serde_json::json!(["nobody", "system"]));
    assert_eq!(
        answers(&matrix["entities"][0]["operations"], "operation"),
        [
            "read: depends yes",
            "create: no yes",
            "update: no yes",
            "delete: no yes"
        ]
    );
    assert_eq!(
        answers(&matrix["dtos"][0]["fields"], "field"),
        [
            "id: yes yes",
            "username: yes yes",
            "phone: no yes",
            "salary: no yes"
        ]
    );
}

#[test]
fn asvs_8_2_1_every_method_is_closed_to_nobody_unless_it_is_public() {
    let matrix = json(&matrix());
    assert_eq!(
        answers(&matrix["repositories"][0]["methods"], "method"),
        [
            "card: no no yes yes yes",
            "rename: no no yes yes no",
            // It asks an argument, so the viewer alone does not settle it.
            "own: no no depends depends depends",
            "names: yes no yes yes yes",
        ]
    );
    // What is not stated is denied to everybody.
    assert_eq!(
        answers(&matrix["entities"][1]["operations"], "operation"),
        [
            "read: yes yes yes yes yes",
            "create: no yes no no no",
            "update: no yes no no no",
            "delete: no yes no no no",
        ]
    );
}

#[tokio::test]
async fn asvs_8_2_2_an_id_of_somebody_elses_row_gets_as_far_as_the_matrix_says() {
    let matrix = json(&matrix());
    let update = &matrix["entities"][0]["operations"][2];
    assert_eq!(update["cells"][3]["when"], "row.author == 2");
    assert_eq!(update["cells"][4]["when"], "row.author == 3");

    let directory = directory().await;
    for (viewer, allowed) in [(editor(), true), (stranger(), false)] {
        as_viewer(viewer, async {
            let access = write().await;
            let writer = directory.db.writer(&access);
            // Each of these rows has the author 2.
            for id in 1..=6 {
                let update = writer.update::<Person>(id);
                let written = update
                    .set(Person::USERNAME, "changed".to_owned())
                    .execute()
                    .await;
                assert_eq!(written.is_ok(), allowed, "{id}");
            }
        })
        .await;
    }
}

#[tokio::test]
async fn asvs_8_2_3_x7_each_field_is_shown_as_the_matrix_says() {
    let matrix = json(&matrix());
    let directory = directory().await;
    let names = ["id", "username", "phone", "salary"];
    for (column, viewer) in sample().into_iter().enumerate() {
        let rows = as_viewer(viewer, async {
            let access = read().await;
            let rows = directory
                .db
                .reader(&access)
                .all(Profile::select())
                .await
                .unwrap();
            serde_json::to_value(rows).unwrap()
        })
        .await;
        let rows = rows.as_array().unwrap();
        for (index, name) in names.into_iter().enumerate() {
            let cell = &matrix["dtos"][0]["fields"][index]["cells"][column + 2];
            let shown = rows.iter().filter(|row| row.get(name).is_some()).count();
            let expected = match cell["answer"].as_str().unwrap() {
                "yes" => shown == rows.len(),
                "no" => shown == 0,
                _ => shown > 0 && shown < rows.len(),
            };
            assert!(
                expected,
                "{name} is shown on {shown} of {} rows: {cell}",
                rows.len()
            );
        }
    }
}

#[test]
fn asvs_8_1_3_asvs_8_1_4_the_attributes_of_a_request_stand_with_the_rules_that_read_them() {
    let matrix = json(&matrix());
    let attributes = matrix["context_attributes"].as_array().unwrap();
    let read: Vec<_> = attributes
        .iter()
        .map(|row| {
            let at = row["read_at"].as_array().unwrap();
            (row["attribute"].as_str().unwrap(), at.len())
        })
        .collect();
    // The named rule, the condition of `own`, and the opaque function that is handed all of it.
    assert_eq!(
        read,
        [("context.now", 1), ("context.address", 1), ("context", 1)]
    );
}

#[test]
fn x7_the_escape_hatches_that_types_tell_of_are_listed() {
    let matrix = json(&matrix());
    let hatches = matrix["escape_hatches"].as_array().unwrap();
    let hatches: Vec<_> = hatches
        .iter()
        .map(|hatch| {
            format!(
                "{}: {}",
                hatch["kind"].as_str().unwrap(),
                hatch["what"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        hatches,
        [
            "public method: People::names",
            "lookup column: Person::slug",
            "open rows: Note, read",
            "mask in process: Card::phone",
            "opaque rule: Card::salary",
        ]
    );
    assert_eq!(matrix["source_was_read"], false);
}

#[test]
fn x7_the_page_is_self_contained_and_escaped() {
    let page = matrix().to_html();
    for outside in [
        "<script", "http://", "https://", "@import", "url(", "<link", "<img", "src=",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(!page.contains("<b>public</b>"));
    assert!(page.contains("notes are | &lt;b&gt;public&lt;/b&gt;"));
    // Colour is never the only sign.
    for (class, words) in [("yes", "\u{2713}</span> yes"), ("no", "\u{2717}</span> no")] {
        let cells = page.matches(&format!("<td class=\"{class}\">")).count();
        assert!(cells > 0 && page.matches(words).count() == cells, "{class}");
    }
    for needed in [
        "position: sticky",
        "prefers-color-scheme: dark",
        "@media print",
    ] {
        assert!(page.contains(needed), "{needed}");
    }
    for link in page.split("href=\"#").skip(1) {
        let (anchor, _) = link.split_once('"').unwrap();
        assert!(page.contains(&format!("id=\"{anchor}\"")), "{anchor}");
    }
}

#[test]
fn x7_a_rule_that_cannot_be_worked_out_fails_the_matrix_with_its_place() {
    use clearance::Viewer;
    use clearance::policy::MaybeLoaded;

    #[derive(Viewer)]
    struct Guest {
        id: i64,
        team: MaybeLoaded<String>,
    }

    #[derive(Entity)]
    #[entity(table = "notes", viewer = Guest, read_if(viewer.team == row.team))]
    struct Memo {
        #[entity(key)]
        id: i64,
        team: String,
    }

    clearance::app! {
        static GUESTS = { viewer: Guest, entities: [Memo], dtos: [], repositories: [] };
    }

    let guest = Guest {
        id: 1,
        team: MaybeLoaded::missing(),
    };
    let error = Matrix::of(&GUESTS)
        .viewer("guest", &guest)
        .build()
        .unwrap_err();
    assert!(error.is_configuration());
    let text = error.to_string();
    assert!(
        text.contains("`guest`: `viewer.team` was not loaded"),
        "{text}"
    );
    assert!(text.contains("matrix.rs:"), "{text}");

    let twice = Matrix::of(&GUESTS).viewer("system", &guest).build();
    assert!(twice.unwrap_err().is_configuration());
}

fn lints(matrix: &Matrix) -> Vec<String> {
    json(matrix)
        .get("lints")
        .and_then(serde_json::Value::as_array)
        .unwrap()
        .iter()
        .map(|lint| {
            format!(
                "{}: {}",
                lint["lint"].as_str().unwrap(),
                lint["about"].as_str().unwrap()
            )
        })
        .collect()
}

#[test]
fn x8_a_rule_that_reads_what_the_same_viewer_may_write_is_named() {
    let lints = lints(&matrix());
    let writable: Vec<_> = lints
        .iter()
        .filter(|lint| lint.starts_with("rule reads"))
        .collect();
    assert!(
        writable.contains(&&
            "rule reads a column that the same viewer may write: the rule of `Profile::phone` reads `team`, and editor may update such rows".to_owned()
        ),
        "{writable:#?}"
    );
    // An admin sees the phone whatever the team, so writing it gains nothing.
    assert!(
        !writable
            .iter()
            .any(|lint| lint.contains("`Profile::phone`") && lint.contains("admin"))
    );
    // The key is not written.
    assert!(!writable.iter().any(|lint| lint.contains("reads `id`")));
}

mod drafts {
    use clearance::{Dto, Entity, Field};

    use crate::support::*;

    /// Closed to nobody and to readers; open for writing to whoever has a viewer.
    #[derive(Entity)]
    #[entity(
        table = "drafts",
        viewer = Member,
        read_if(viewer.role >= Role::Editor),
        create_if(true),
        update_if(true)
    )]
    pub struct Draft {
        #[entity(key)]
        pub id: i64,
        pub team: Option<String>,
    }

    #[derive(Debug, Dto)]
    #[dto(entity = Draft)]
    pub struct DraftCard {
        #[visible]
        pub team: Option<String>,
        #[visible_if(row.id == viewer.id)]
        pub id: Field<i64>,
    }

    /// Never updated, so nobody writes what its rule reads.
    #[derive(Entity)]
    #[entity(table = "logs", viewer = Member, read_if(same(row.team, viewer.team)))]
    pub struct Log {
        #[entity(key)]
        pub id: i64,
        pub team: Option<String>,
    }

    clearance::app! {
        pub static DRAFTS = {
            viewer: Member,
            entities: [Log],
            dtos: [DraftCard],
            repositories: [],
        };
    }
}

#[test]
fn x7_x11_r4_no_field_is_seen_where_no_row_is_and_nobody_writes() {
    let sample = sample();
    let matrix = with_viewers(Matrix::of(&drafts::DRAFTS), &sample)
        .build()
        .unwrap();
    let matrix = json(&matrix);
    assert_eq!(
        answers(&matrix["dtos"][0]["fields"], "field"),
        ["team: no yes yes yes no", "id: no yes depends depends no"]
    );
    assert_eq!(
        answers(&matrix["entities"][0]["operations"], "operation"),
        [
            "read: no yes yes yes no",
            "create: no yes yes yes yes",
            "update: no yes yes yes yes",
            "delete: no yes no no no",
        ]
    );
}

#[test]
fn x8_neither_a_key_nor_a_row_that_is_never_updated_is_named() {
    let sample = sample();
    let matrix = with_viewers(Matrix::of(&drafts::DRAFTS), &sample)
        .build()
        .unwrap();
    assert_eq!(lints(&matrix), [""; 0]);
}

#[test]
fn x7_two_dtos_that_show_a_column_by_different_rules_are_named() {
    let lints = lints(&matrix());
    let differing: Vec<_> = lints
        .iter()
        .filter(|lint| lint.starts_with("one column"))
        .collect();
    let columns: Vec<_> = ["phone", "salary", "username"]
        .iter()
        .map(|column| {
            differing
                .iter()
                .filter(|lint| lint.contains(&format!("`{column}` of")))
                .count()
        })
        .collect();
    assert_eq!(
        (differing.len(), columns),
        (3, vec![1, 1, 1]),
        "{differing:#?}"
    );
    assert!(
        differing
            .iter()
            .any(|lint| lint.contains("`Profile` by no rule; `Card` by `row.username <"))
    );
}

#[tokio::test]
async fn x7_the_live_schema_adds_what_indexes_and_collations_say_on_sqlite() {
    let directory = empty_directory(
        "CREATE TABLE people (
            id INTEGER PRIMARY KEY, -- the key, COLLATE NOCASE it is not
            slug TEXT NOT NULL UNIQUE,
            \"username\" VARCHAR(80) NOT NULL DEFAULT 'a, b' COLLATE NOCASE,
            phone TEXT,
            email TEXT COLLATE BINARY,
            salary INTEGER NOT NULL,
            team TEXT,
            status TEXT NOT NULL,
            suspended BOOLEAN NOT NULL,
            published_at INSTANT,
            author INTEGER NOT NULL,
            password_hash TEXT NOT NULL,
            UNIQUE (email, team)
        );
        CREATE INDEX by_time ON people (published_at)",
    )
    .await;
    let schema = directory.db.schema(&APP).await.unwrap();
    let sample = sample();
    let matrix = with_viewers(Matrix::of(&APP), &sample)
        .with_schema(&schema)
        .build()
        .unwrap();
    let found: Vec<_> = lints(&matrix)
        .into_iter()
        .filter(|lint| !lint.starts_with("rule reads") && !lint.starts_with("one column"))
        .collect();
    insta::assert_snapshot!(found.join("\n"));
    assert_eq!(json(&matrix)["schema_was_read"], true);
}
