//! What an application says of the bodies that its clients may send: in the registry, at start.

use clearance::entity::RowAction;
use clearance::{Assign, Dto, Entity, Field, Input, Patch};

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
