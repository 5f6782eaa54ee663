//! What a viewer may see, told before any row (P12), and attributes that were not loaded (P9).

use clearance::entity::RowAction;
use clearance::policy::{Context, Failure, MaybeLoaded, Truth, evaluate};
use clearance::{
    Access, CanSee, Dto, Entity, Field, Permission, Read, Viewer, Write, rule, testing,
};

use crate::support::*;

async fn profile_as(viewer: Member) -> CanSee<Profile> {
    as_viewer(viewer, async {
        read().await.can_see::<Profile>().await.unwrap()
    })
    .await
}

fn answers(can_see: &CanSee<Profile>) -> [Permission; 4] {
    [
        can_see.field(Profile::ID),
        can_see.field(Profile::USERNAME),
        can_see.field(Profile::PHONE),
        can_see.field(Profile::SALARY),
    ]
}

fn operations<D: Dto>(can_see: &CanSee<D>) -> [Permission; 4] {
    [
        RowAction::Read,
        RowAction::Create,
        RowAction::Update,
        RowAction::Delete,
    ]
    .map(|action| can_see.rows(action))
}

#[tokio::test]
async fn p12_asvs_8_2_3_each_field_is_yes_no_or_depends_by_viewer() {
    use Permission::{Depends, No, Yes};

    let admin = profile_as(admin()).await;
    assert_eq!(answers(&admin), [Yes, Yes, Yes, Yes]);
    assert_eq!(operations(&admin), [Yes, Depends, Yes, Yes]);

    let editor = profile_as(editor()).await;
    assert_eq!(answers(&editor), [Yes, Yes, Depends, No]);
    assert_eq!(operations(&editor), [Depends, Depends, Depends, No]);

    // A stranger has no team, and so shares it with nobody.
    let stranger = profile_as(stranger()).await;
    assert_eq!(answers(&stranger), [Yes, Yes, No, No]);
    assert_eq!(operations(&stranger), [Depends, No, Depends, No]);
}

#[tokio::test]
async fn p12_x11_nobody_and_the_program_itself_have_their_answers() {
    use Permission::{Depends, No, Yes};

    let nobody = as_nobody(async { public().can_see::<Profile>().await.unwrap() }).await;
    assert_eq!(answers(&nobody), [Yes, Yes, No, No]);
    assert_eq!(operations(&nobody), [Depends, No, No, No]);

    let program = system().can_see::<Profile>().await.unwrap();
    assert_eq!(answers(&program), [Yes; 4]);
    assert_eq!(operations(&program), [Yes; 4]);
}

#[tokio::test]
async fn p12_nobody_writes_even_where_the_rule_asks_for_no_viewer() {
    #[derive(Entity)]
    #[entity(table = "notes", viewer = Member, read_if(true), create_if(true), update_if(true))]
    struct Note {
        #[entity(key)]
        id: i64,
    }

    #[derive(Debug, Dto)]
    #[dto(entity = Note, default = visible)]
    struct NoteCard {
        id: i64,
    }

    let can_see = as_nobody(async { public().can_see::<NoteCard>().await.unwrap() }).await;
    assert_eq!(
        operations(&can_see),
        [
            Permission::Yes,
            Permission::No,
            Permission::No,
            Permission::No
        ]
    );
    let writer = as_viewer(stranger(), async {
        write().await.can_see::<NoteCard>().await.unwrap()
    });
    assert_eq!(
        operations(&writer.await),
        [
            Permission::Yes,
            Permission::Yes,
            Permission::Yes,
            Permission::No
        ]
    );
}

#[tokio::test]
async fn p12_r4_where_no_row_can_be_read_no_field_can_be_seen() {
    #[derive(Entity)]
    #[entity(table = "notes", viewer = Member, read_if(viewer.role >= Role::Admin))]
    struct Note {
        #[entity(key)]
        id: i64,
        text: String,
    }

    #[derive(Debug, Dto)]
    #[dto(entity = Note, default = visible)]
    struct NoteCard {
        id: i64,
        #[visible_if(viewer.role < Role::Admin)]
        text: Field<String>,
    }

    let can_see = as_viewer(stranger(), async {
        read().await.can_see::<NoteCard>().await.unwrap()
    });
    let can_see = can_see.await;
    assert_eq!(can_see.field(NoteCard::ID), Permission::No);
    assert_eq!(can_see.field(NoteCard::TEXT), Permission::No);
    assert_eq!(operations(&can_see), [Permission::No; 4]);
}

#[tokio::test]
async fn p12_it_serialises_under_the_keys_of_the_dto() {
    #[derive(Debug, Dto)]
    #[dto(entity = Person)]
    #[serde(rename_all = "camelCase")]
    struct Card {
        #[visible]
        username: String,
        #[visible_if(row.author == viewer.id)]
        published_at: Field<Option<chrono::DateTime<chrono::Utc>>>,
        #[visible_if(viewer.role >= Role::Admin)]
        salary: Field<i64>,
    }

    let can_see = as_viewer(editor(), async {
        read().await.can_see::<Card>().await.unwrap()
    });
    let can_see = can_see.await;
    assert_eq!(can_see.key("publishedAt"), Some(Permission::Depends));
    assert_eq!(can_see.key("published_at"), None);
    insta::assert_snapshot!(serde_json::to_string_pretty(&can_see).unwrap(), @r#"
    {
      "rows": {
        "read": "depends",
        "create": "depends",
        "update": "depends",
        "delete": "no"
      },
      "fields": {
        "username": "yes",
        "publishedAt": "depends",
        "salary": "no"
      }
    }
    "#);
}

#[derive(Debug, Clone, Viewer)]
struct Guest {
    id: i64,
    admin: bool,
    team: MaybeLoaded<Option<String>>,
    teams: MaybeLoaded<Vec<String>>,
}

#[derive(Debug, Clone, Entity)]
#[entity(
    table = "notes",
    viewer = Guest,
    read_if(row.id > 0),
    create_if(same(viewer.team, row.team)),
    update_if(same(viewer.team, row.team)),
    delete_if(viewer.admin || same(viewer.team, row.team))
)]
struct Note {
    #[entity(key)]
    id: i64,
    team: Option<String>,
    text: String,
    draft: String,
}

#[derive(Debug, Dto)]
#[dto(entity = Note)]
struct NoteCard {
    #[visible]
    id: i64,
    #[visible_if(viewer.admin || same(viewer.team, row.team))]
    text: Field<String>,
}

#[derive(Debug, Dto)]
#[dto(entity = Note)]
struct DraftCard {
    #[visible]
    id: i64,
    #[hidden_if(viewer.teams.contains(&row.draft))]
    draft: Field<String>,
}

#[rule]
fn same_team(viewer: &Guest, row: &Note) -> bool {
    same(viewer.team, row.team)
}

fn guest(team: MaybeLoaded<Option<String>>) -> Guest {
    Guest {
        id: 1,
        admin: false,
        team,
        teams: MaybeLoaded::missing(),
    }
}

fn note() -> Note {
    Note {
        id: 1,
        team: Some("red".into()),
        text: "hello".into(),
        draft: "hell".into(),
    }
}

async fn notes() -> Directory {
    empty_directory(
        "CREATE TABLE notes (
            id INTEGER PRIMARY KEY, team TEXT, text TEXT NOT NULL, draft TEXT NOT NULL
        );
        INSERT INTO notes VALUES (1, 'red', 'hello', 'hell')",
    )
    .await
}

#[tokio::test]
async fn p9_a_read_by_an_attribute_that_was_not_loaded_fails() {
    let directory = notes().await;
    let events = Events::of("clearance::access");
    testing::as_viewer(guest(MaybeLoaded::missing()))
        .scope(async {
            let access = Access::<Read<Guest>>::authenticated().await.unwrap();
            let reader = directory.db.reader(&access);
            for error in [
                reader.all(NoteCard::select()).await.unwrap_err(),
                reader.all(DraftCard::select()).await.unwrap_err(),
                access.project::<NoteCard>([note()]).await.unwrap_err(),
                access.can_see::<NoteCard>().await.unwrap_err(),
            ] {
                assert!(error.is_misuse(), "{error}");
                assert_eq!(error.status(), 500);
            }
        })
        .await;
    let events = events.take();
    assert_eq!(events.len(), 4);
    assert!(
        events[0].contains("NotLoaded(\"viewer.team\")"),
        "{events:#?}"
    );
    assert!(
        events[1].contains("NotLoaded(\"viewer.teams\")"),
        "{events:#?}"
    );
}

#[tokio::test]
async fn p9_a_write_by_an_attribute_that_was_not_loaded_fails_and_writes_nothing() {
    let directory = notes().await;
    testing::as_viewer(guest(MaybeLoaded::missing()))
        .scope(async {
            let access = Access::<Write<Guest>>::authenticated().await.unwrap();
            let writer = directory.db.writer(&access);
            let (statements, _guard) = Statements::listen();
            let update = writer.update::<Note>(1).set(Note::TEXT, "changed");
            for error in [
                writer.insert(Note { id: 2, ..note() }).await.unwrap_err(),
                update.execute().await.unwrap_err(),
                writer.delete::<Note>(1).await.unwrap_err(),
            ] {
                assert!(error.is_misuse(), "{error}");
            }
            assert_eq!(statements.take(), [""; 0]);
        })
        .await;
}

#[tokio::test]
async fn p9_an_attribute_that_was_loaded_is_compared_and_an_empty_one_grants_nothing() {
    let directory = notes().await;
    for (team, visible) in [(Some("red"), true), (Some("blue"), false), (None, false)] {
        let viewer = guest(MaybeLoaded::new(team.map(str::to_owned)));
        testing::as_viewer(viewer)
            .scope(async {
                let access = Access::<Read<Guest>>::authenticated().await.unwrap();
                let reader = directory.db.reader(&access);
                let rows = reader.all(NoteCard::select()).await.unwrap();
                assert_eq!(rows[0].text.visible().is_some(), visible, "{team:?}");
            })
            .await;
    }
}

#[tokio::test]
async fn p9_a_rule_that_does_not_come_to_ask_it_does_not_fail() {
    let directory = notes().await;
    let viewer = Guest {
        admin: true,
        ..guest(MaybeLoaded::missing())
    };
    testing::as_viewer(viewer)
        .scope(async {
            let access = Access::<Read<Guest>>::authenticated().await.unwrap();
            let reader = directory.db.reader(&access);
            let rows = reader.all(NoteCard::select()).await.unwrap();
            assert_eq!(
                (rows[0].id, &rows[0].text),
                (1, &Field::Visible("hello".into()))
            );
        })
        .await;
}

#[tokio::test]
async fn p9_p12_a_rule_for_writing_that_cannot_be_worked_out_fails_the_answer() {
    #[derive(Debug, Dto)]
    #[dto(entity = Note, default = visible)]
    struct NoteId {
        id: i64,
    }

    testing::as_viewer(guest(MaybeLoaded::missing()))
        .scope(async {
            let access = Access::<Read<Guest>>::authenticated().await.unwrap();
            let events = Events::of("clearance::access");
            assert!(access.can_see::<NoteId>().await.unwrap_err().is_misuse());
            let events = events.take();
            assert!(events[0].contains("create_if"), "{events:#?}");
        })
        .await;
}

#[test]
fn p9_the_evaluator_neither_allows_nor_denies() {
    let context = Context::new(instant(0));
    let missing = guest(MaybeLoaded::missing());
    assert_eq!(
        evaluate(&same_team(), Some(&missing), &note(), &context),
        Err(Failure::NotLoaded("viewer.team"))
    );
    // Nobody has no attributes, so none is missing.
    assert_eq!(
        evaluate(&same_team(), None, &note(), &context),
        Ok(Truth::Unknown)
    );
    assert!(missing.team.value().unwrap_err().is_misuse());
    assert_eq!(format!("{:?}", missing.team), "NotLoaded");
    assert_eq!(format!("{:?}", MaybeLoaded::new("secret")), "Loaded");
}
