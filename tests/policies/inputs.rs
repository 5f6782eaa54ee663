//! What an application says of the bodies that its clients may send: in the registry, and in the matrix.

use clearance::entity::RowAction;
use clearance::input::Assign;
use clearance::{Dto, Entity, Field, Input, Patch};
use clearance_matrix::{Matrix, MatrixBuilder};

use crate::support::*;

#[derive(Debug, Entity)]
#[entity(
    table = "notes",
    viewer = Member,
    read_if(row.owner == viewer.id || viewer.role >= Role::Editor),
    create_if(row.owner == viewer.id),
    update_if(row.owner == viewer.id || viewer.role >= Role::Admin),
    updated_if(row.stage >= before.stage),
    delete_if(viewer.role >= Role::Admin)
)]
pub struct Note {
    #[entity(key)]
    pub id: i64,
    pub owner: i64,
    pub title: String,
    pub stage: i64,
    pub team: Option<String>,
    pub remark: Option<String>,
    pub code: Option<String>,
    pub changed_by: Option<i64>,
}

#[derive(Debug, Dto)]
#[dto(entity = Note, default = visible)]
pub struct NoteView {
    pub id: i64,
    pub title: String,
    pub stage: i64,
    #[visible_if(viewer.role >= Role::Editor || same(viewer.team, row.team))]
    pub remark: Field<Option<String>>,
    #[visible_if(viewer.role >= Role::Admin)]
    pub code: Field<Option<String>>,
}

#[derive(Debug, Input)]
#[input(entity = Note)]
#[preset(owner = viewer.id, stage = 0)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "what is not stored is for a repository to read")]
pub struct NewNote {
    #[writable]
    pub title: String,
    #[writable_if(viewer.role >= Role::Editor)]
    #[writable_if(row.stage == 0)]
    pub remark: Assign<Option<String>>,
    #[writable]
    pub code: Assign<Option<String>>,
    #[unstored]
    pub send_copy: bool,
}

#[derive(Debug, Patch)]
#[patch(entity = Note, reads = NoteView)]
#[preset(changed_by = Some(viewer.id))]
pub struct EditNote {
    #[writable]
    pub title: Assign<String>,
    #[writable_if(viewer.role >= Role::Editor || before.team.is_none())]
    pub stage: Assign<i64>,
    #[writable]
    pub remark: Assign<Option<String>>,
    #[writable(blind)]
    #[writable_if(viewer.role >= Role::Editor)]
    pub code: Assign<Option<String>>,
}

clearance::app! {
    pub static NOTES = {
        viewer: Member,
        dtos: [NoteView],
        inputs: [NewNote, EditNote],
        repositories: [],
    };
}

pub const SCHEMA: &str = "CREATE TABLE notes (
    id INTEGER PRIMARY KEY,
    owner INTEGER NOT NULL,
    title TEXT NOT NULL,
    stage INTEGER NOT NULL,
    team TEXT,
    remark TEXT,
    code KEYTEXT UNIQUE,
    changed_by INTEGER
)";

#[test]
fn w9_w10_w21_the_registry_lists_what_clients_may_send_and_what_the_program_sets() {
    let inputs = NOTES.inputs();
    let [new, edit] = &inputs[..] else {
        panic!("two are listed: {inputs:?}");
    };
    assert_eq!((new.name(), new.entity()), ("NewNote", "Note"));
    assert_eq!((new.action(), new.reads()), (RowAction::Create, None));
    let fields: Vec<_> = new
        .fields()
        .iter()
        .map(|field| {
            let flags = (field.is_required(), field.is_stored(), field.is_blind());
            (field.key(), flags, field.rules().len())
        })
        .collect();
    assert_eq!(
        fields,
        [
            ("title", (true, true, false), 0),
            ("remark", (false, true, false), 2),
            ("code", (false, true, false), 0),
            ("sendCopy", (true, false, false), 0),
        ]
    );
    assert_eq!(new.fields()[3].field(), "send_copy");
    let rule = new.fields()[1].rules()[0].source();
    assert_eq!(rule.text, "viewer.role >= Role::Editor");
    assert!(rule.place().starts_with("tests/policies/inputs.rs:"));

    let presets: Vec<_> = new
        .presets()
        .iter()
        .map(|preset| (preset.field(), preset.source().text))
        .collect();
    assert_eq!(presets, [("owner", "viewer.id"), ("stage", "0")]);
    let place = new.presets()[0].source().place();
    assert!(place.starts_with("tests/policies/inputs.rs:"), "{place}");
    assert!(new.presets()[0].source().line < rule.line);

    assert_eq!(
        (edit.action(), edit.reads()),
        (RowAction::Update, Some("NoteView"))
    );
    let shown: Vec<_> = edit
        .fields()
        .iter()
        .map(|field| (field.field(), field.shown_by(), field.is_blind()))
        .collect();
    assert_eq!(
        shown,
        [
            ("title", Some("title"), false),
            ("stage", Some("stage"), false),
            ("remark", Some("remark"), false),
            ("code", None, true),
        ]
    );
    assert_eq!(NOTES.entities().len(), 1);
}

#[tokio::test]
async fn p13_a_schema_that_fits_the_inputs_passes_the_check() {
    let directory = empty_directory(SCHEMA).await;
    directory.db.check(&NOTES).await.unwrap();
}

fn with_viewers<'a>(
    matrix: MatrixBuilder<'a, Member>,
    [admin, editor, stranger]: &'a [Member; 3],
) -> MatrixBuilder<'a, Member> {
    matrix
        .viewer("admin", admin)
        .viewer("editor", editor)
        .viewer("stranger", stranger)
}

fn sample() -> [Member; 3] {
    [admin(), editor(), stranger()]
}

fn matrix() -> Matrix {
    with_viewers(Matrix::of(&NOTES), &sample()).build().unwrap()
}

fn json(matrix: &Matrix) -> serde_json::Value {
    serde_json::from_str(&matrix.to_json().unwrap()).unwrap()
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

/// The cells of nobody, the program and the three viewers.
fn cells(row: &serde_json::Value) -> Vec<String> {
    let cells = row["cells"].as_array().unwrap().iter();
    cells
        .map(|cell| match cell["when"].as_str() {
            Some(when) => when.to_owned(),
            None => cell["answer"].as_str().unwrap().to_owned(),
        })
        .collect()
}

#[test]
fn x7_w22_asvs_8_1_2_the_matrix_of_what_clients_may_send_as_markdown() {
    let text = matrix().to_markdown();
    let (_, inputs) = text.split_once("## Input").unwrap();
    let (inputs, _) = inputs.split_once("## What rules read").unwrap();
    insta::assert_snapshot!(without_line_numbers(&format!("## Input{inputs}")));
}

#[test]
fn x7_w22_each_field_of_an_input_says_who_may_create_with_it() {
    let matrix = json(&matrix());
    let new = &matrix["inputs"][0];
    assert_eq!(
        (&new["name"], &new["action"]),
        (&"NewNote".into(), &"create".into())
    );
    // The rule of the entity wants the owner that the preset gives, but the program has no viewer.
    assert_eq!(cells(new), ["no", "no", "yes", "yes", "yes"]);
    assert_eq!(
        cells(&matrix["entities"][0]["operations"][1])[4],
        "row.owner == 3"
    );
    let field = |index: usize| &new["fields"][index];
    assert_eq!(cells(field(0)), ["no", "no", "yes", "yes", "yes"]);
    assert_eq!(cells(field(1)), ["no", "no", "yes", "yes", "no"]);
    assert_eq!(field(0)["required"], true);
    assert_eq!(field(1)["required"], false);
    assert_eq!(field(3)["key"], "sendCopy");
    assert_eq!(field(3)["stored"], false);
    let preset = &new["presets"][0];
    assert_eq!(
        (&preset["field"], &preset["value"]),
        (&"owner".into(), &"viewer.id".into())
    );
    assert!(
        preset["at"]
            .as_str()
            .unwrap()
            .starts_with("tests/policies/inputs.rs:")
    );
}

#[test]
fn x7_w21_w22_each_field_of_a_patch_says_who_may_change_it_and_what_must_be_shown() {
    let matrix = json(&matrix());
    let edit = &matrix["inputs"][1];
    assert_eq!(
        (&edit["action"], &edit["reads"]),
        (&"update".into(), &"NoteView".into())
    );
    assert_eq!(
        cells(edit),
        [
            "no",
            "no",
            "row.stage >= before.stage",
            "before.owner == 2 && row.stage >= before.stage",
            "before.owner == 3 && row.stage >= before.stage",
        ]
    );
    let field = |index: usize| cells(&edit["fields"][index]);
    assert_eq!(field(0), ["no", "no", "yes", "yes", "yes"]);
    assert_eq!(
        field(1),
        ["no", "no", "yes", "yes", "before.team.is_none()"]
    );
    // A stranger has no team, so that the DTO never shows them the remark that they would replace.
    assert_eq!(field(2), ["no", "no", "yes", "yes", "no"]);
    assert_eq!(field(3), ["no", "no", "yes", "yes", "no"]);
    assert_eq!(edit["fields"][2]["shown_if"].as_array().unwrap().len(), 1);
    assert_eq!(edit["fields"][3]["blind"], true);
    assert!(edit["fields"][3].get("shown_if").is_none());
}

#[test]
fn x7_w22_nobody_may_send_what_may_not_be_written_at_all() {
    #[derive(Debug, Entity)]
    #[entity(table = "logs", viewer = Member, read_if(true), create_if(row.level == 0))]
    struct Log {
        #[entity(key)]
        id: i64,
        level: i64,
        text: String,
    }

    #[derive(Debug, Dto)]
    #[dto(entity = Log, default = visible)]
    struct LogView {
        text: String,
    }

    #[derive(Debug, Input)]
    #[input(entity = Log)]
    #[preset(level = 1)]
    struct Loud {
        #[writable]
        text: String,
    }

    #[derive(Debug, Input)]
    #[input(entity = Log)]
    #[preset(level = 0)]
    struct Quiet {
        #[writable]
        text: String,
    }

    #[derive(Debug, Patch)]
    #[patch(entity = Log, reads = LogView)]
    struct Rewrite {
        #[writable]
        text: Assign<String>,
    }

    clearance::app! {
        static LOGS = {
            viewer: Member,
            dtos: [LogView],
            inputs: [Loud, Quiet, Rewrite],
            repositories: [],
        };
    }

    let viewer = admin();
    let matrix = Matrix::of(&LOGS).viewer("admin", &viewer).build().unwrap();
    let matrix = json(&matrix);
    for (index, expected) in [
        // The preset is one that the entity lets nobody create.
        (0, ["no", "yes", "no"]),
        (1, ["no", "yes", "yes"]),
        (2, ["no", "yes", "no"]),
    ] {
        let input = &matrix["inputs"][index];
        assert_eq!(cells(input), expected, "{index}");
        assert_eq!(cells(&input["fields"][0]), expected, "{index}");
    }
}

#[test]
fn x7_the_page_shows_inputs_and_stays_self_contained_and_escaped() {
    #[derive(Debug, Patch)]
    #[patch(entity = Note)]
    #[preset(title = "<b>\"bold\"</b>".to_owned())]
    struct Bold {
        #[writable(blind)]
        #[writable_if(before.title != "<script>")]
        remark: Assign<Option<String>>,
    }

    clearance::app! {
        static BOLD = { viewer: Member, dtos: [NoteView], inputs: [Bold, NewNote], repositories: [] };
    }

    let sample = sample();
    let page = with_viewers(Matrix::of(&BOLD), &sample)
        .build()
        .unwrap()
        .to_html();
    for outside in [
        "<script", "http://", "https://", "@import", "url(", "<link", "src=",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("Patch <code>Bold</code>"));
    assert!(page.contains("title = &quot;&lt;b&gt;"), "{page}");
    assert!(page.contains("may be absent, blind"));
    assert!(page.contains("<code>send_copy</code> as <code>sendCopy</code>"));
    for link in page.split("href=\"#").skip(1) {
        let (anchor, _) = link.split_once('"').unwrap();
        assert!(page.contains(&format!("id=\"{anchor}\"")), "{anchor}");
    }
}

fn lints(matrix: &Matrix) -> Vec<String> {
    let matrix = json(matrix);
    let lints = matrix.get("lints").and_then(serde_json::Value::as_array);
    lints
        .unwrap()
        .iter()
        .map(|lint| {
            let text = |key: &str| lint[key].as_str().unwrap().to_owned();
            format!("{}: {}", text("lint"), text("about"))
        })
        .collect()
}

#[test]
fn x8_a_rule_that_reads_what_a_patch_lets_the_same_viewer_write_is_named() {
    let lints = lints(&matrix());
    let found: Vec<_> = lints
        .iter()
        .filter_map(|lint| {
            lint.strip_prefix("rule reads a column that the same viewer may write: ")
        })
        .collect();
    assert_eq!(
        found,
        [
            // No listed patch names the owner or the team, but a method may set them.
            "the rule of `EditNote::stage` reads `team`, and stranger may update such rows",
            "the rule of `read_if` of `Note` reads `owner`, and stranger may update such rows",
            "the rule of `update_if` of `Note` reads `owner`, and editor and stranger may update such rows",
        ]
    );

    #[derive(Debug, Patch)]
    #[patch(entity = Note)]
    struct Give {
        #[writable(blind)]
        #[writable_if(viewer.role >= Role::Editor)]
        owner: Assign<i64>,
        #[writable(blind)]
        #[writable_if(before.team.is_none() && before.stage == row.stage)]
        team: Assign<Option<String>>,
    }

    clearance::app! {
        static GIVE = { viewer: Member, dtos: [NoteView], inputs: [Give, EditNote], repositories: [] };
    }

    let sample = sample();
    let matrix = with_viewers(Matrix::of(&GIVE), &sample).build().unwrap();
    let lints = self::lints(&matrix);
    let found: Vec<_> = lints
        .iter()
        .filter_map(|lint| {
            lint.strip_prefix("rule reads a column that the same viewer may write: ")
        })
        .collect();
    assert_eq!(
        found,
        [
            // The patch says who may set the owner, and strangers may not.
            "the rule of `EditNote::stage` reads `team`, and stranger may write it by `Give`",
            // Not its own field, which this very rule judges.
            "the rule of `Give::team` reads `stage`, and admin, editor and stranger may write it by `EditNote`",
            "the rule of `update_if` of `Note` reads `owner`, and editor may write it by `Give`",
        ]
    );
}

#[test]
fn x7_w21_a_blind_field_that_the_dto_hides_from_its_writer_is_named() {
    let of = |matrix: &Matrix| -> Vec<String> {
        let lints = lints(matrix).into_iter();
        lints
            .filter(|lint| lint.starts_with("write without"))
            .collect()
    };
    // An admin is shown the code, and a stranger may not set it.
    assert_eq!(
        of(&matrix()),
        [
            "write without a read: the field `EditNote::code` is blind, and editor may set it where `NoteView` hides what is replaced"
        ]
    );

    #[derive(Debug, Dto)]
    #[dto(entity = Note)]
    struct Own {
        #[visible]
        id: i64,
        #[visible_if(row.owner == viewer.id)]
        code: Field<Option<String>>,
    }

    #[derive(Debug, Patch)]
    #[patch(entity = Note, reads = Own)]
    struct Recode {
        #[writable(blind)]
        code: Assign<Option<String>>,
        // No DTO shows it, so there is no other way to set it.
        #[writable(blind)]
        remark: Assign<Option<String>>,
    }

    clearance::app! {
        static RECODE = { viewer: Member, dtos: [Own], inputs: [Recode], repositories: [] };
    }

    let sample = sample();
    // Others may update what is theirs, and there they see the code and may read the row. An admin
    // may update what others own.
    assert_eq!(
        of(&with_viewers(Matrix::of(&RECODE), &sample).build().unwrap()),
        [
            "write without a read: the field `Recode::code` is blind, and admin may set it where `Own` hides what is replaced"
        ]
    );
}

#[tokio::test]
async fn x7_w20_an_input_that_sets_a_hidden_unique_column_is_named() {
    let directory = empty_directory(SCHEMA).await;
    let schema = directory.db.schema(&NOTES).await.unwrap();
    let sample = sample();
    let matrix = with_viewers(Matrix::of(&NOTES), &sample).with_schema(&schema);
    let matrix = matrix.build().unwrap();
    let found: Vec<_> = lints(&matrix)
        .into_iter()
        .filter(|lint| lint.contains("unique index"))
        .map(|lint| lint.replace(|c: char| c.is_ascii_digit(), "N"))
        .collect();
    let [input, patch] = &found[1..] else {
        panic!("{found:#?}");
    };
    assert!(found[0].starts_with("hidden value under a unique index: `NoteView::code`"));
    assert!(input.starts_with("input sets a hidden column under a unique index: `EditNote::code`"));
    assert!(
        input.ends_with("and editor may set it and not see it in every row"),
        "{input}"
    );
    assert!(patch.contains("`NewNote::code`"), "{patch}");
    assert!(patch.ends_with("and editor and stranger may set it and not see it in every row"));
}

#[test]
fn asvs_8_1_3_what_a_rule_of_an_input_reads_of_a_request_is_listed() {
    #[derive(Debug, Input)]
    #[input(entity = Note)]
    #[preset(owner = viewer.id, stage = 0)]
    struct Later {
        #[writable_if(context.address.is_some())]
        title: String,
    }

    clearance::app! {
        static LATER = { viewer: Member, dtos: [NoteView], inputs: [Later], repositories: [] };
    }

    let matrix = json(&Matrix::of(&LATER).build().unwrap());
    let read = &matrix["context_attributes"][1];
    assert_eq!(read["attribute"], "context.address");
    assert_eq!(read["read_at"].as_array().unwrap().len(), 1);
}
