//! One entity by two ways, and rules that let nobody past by accident.

use clearance::{Access, Dto, Entity, Field, FieldName, Read, testing};

use crate::blog::{Account, Comment, Reader, blog, reader};
use crate::support::{Directory, Person, admin, as_viewer, directory, editor, read};

/// An account as the author of a comment.
#[derive(Debug, Dto)]
#[dto(entity = Account, default = visible)]
struct Author {
    name: String,
    team: Option<String>,
}

/// The same account by itself.
#[derive(Debug, Dto)]
#[dto(entity = Account)]
struct Alone {
    #[visible]
    id: i64,
    #[visible_if(row.id == viewer.id)]
    name: Field<String>,
}

#[derive(Debug, Dto)]
#[dto(entity = Comment, default = visible)]
struct WithAuthor {
    id: i64,
    #[dto(related)]
    author: Option<Author>,
}

#[tokio::test]
async fn r13_one_entity_is_shown_by_the_rules_of_the_way_it_is_reached() {
    let Directory { db, .. } = &blog().await;
    testing::as_viewer(reader(1, None))
        .scope(async {
            let access = Access::<Read<Reader>>::authenticated().await.unwrap();
            let reader = db.reader(&access);
            let query = WithAuthor::select().lookup(Comment::ID, 2);
            let comment = reader.one(query).await.unwrap();
            assert_eq!(comment.author.unwrap().name, "account4");
            let query = Alone::select().lookup(Account::ID, 4);
            assert_eq!(reader.one(query).await.unwrap().name, Field::Hidden);
            let query = Alone::select().filter(Alone::NAME.eq("account4"));
            assert!(reader.all(query).await.unwrap().is_empty());
        })
        .await;
}

/// Whoever edits may pass, but only where the row is published: the one condition is no way
/// around the other.
#[derive(Debug, Entity)]
#[entity(
    table = "people",
    viewer = crate::support::Member,
    read_if(viewer.role >= crate::support::Role::Editor && row.team == "blue"),
    read_if(!row.suspended)
)]
struct Strict {
    #[entity(key)]
    id: i64,
    team: Option<String>,
    suspended: bool,
}

#[derive(Debug, Dto)]
#[dto(entity = Strict, default = visible)]
struct StrictView {
    id: i64,
}

#[tokio::test]
async fn r9_a_condition_that_matches_authorises_nothing_where_the_rest_fails() {
    let directory = directory().await;
    for viewer in [admin(), editor()] {
        let ids = as_viewer(viewer, async {
            let access = read().await;
            let query = StrictView::select().order(StrictView::ID.asc());
            let rows = directory.db.reader(&access).all(query).await.unwrap();
            rows.iter().map(|row| row.id).collect::<Vec<_>>()
        })
        .await;
        assert_eq!(ids, [3]);
    }
}

fn in_rust(_: &crate::support::Member, row: &Person, _: &clearance::policy::Context) -> bool {
    row.id == 1
}

#[derive(Debug, Dto)]
#[dto(entity = Person, default = visible)]
struct Opaque {
    id: i64,
    #[visible_if(opaque(in_rust))]
    salary: Field<i64>,
}

#[tokio::test]
async fn p4_what_only_rust_can_decide_is_in_no_filter_order_or_page_and_totals_stay_right() {
    // The constant is not there, and a client's name for it is no field.
    assert!(
        FieldName::<Opaque>::named("salary")
            .unwrap_err()
            .is_invalid()
    );
    let directory = directory().await;
    as_viewer(admin(), async {
        let access = read().await;
        let reader = directory.db.reader(&access);
        let query = || Opaque::select().order(Opaque::ID.asc());
        // Rows are decided by the database, so that pages and totals are whole.
        let slice = reader
            .page(query(), clearance::repository::Page::first(4))
            .await
            .unwrap();
        assert_eq!(slice.rows.len(), 4);
        assert!(slice.next.is_some());
        assert_eq!(reader.count(query()).await.unwrap(), 6);
        let visible: Vec<_> = slice
            .rows
            .iter()
            .filter(|row| !row.salary.is_hidden())
            .map(|row| row.id)
            .collect();
        assert_eq!(visible, [1]);
    })
    .await;
}

#[derive(Debug, Dto)]
#[dto(entity = Person, default = visible)]
struct HiddenInput {
    id: i64,
    #[visible_if(viewer.id == 99)]
    team: Field<Option<String>>,
    #[visible_if(same(viewer.team, row.team))]
    phone: Field<Option<String>>,
}

#[tokio::test]
async fn s13_a_rule_reads_the_column_itself_though_the_viewer_may_not_see_it() {
    let directory = directory().await;
    as_viewer(editor(), async {
        let access = read().await;
        let query = HiddenInput::select().order(HiddenInput::ID.asc());
        let rows = directory.db.reader(&access).all(query).await.unwrap();
        assert!(rows.iter().all(|row| row.team.is_hidden()));
        let visible = rows.iter().filter(|row| !row.phone.is_hidden());
        assert_eq!(visible.map(|row| row.id).collect::<Vec<_>>(), [1, 2, 5]);
    })
    .await;
}
