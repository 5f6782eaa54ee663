//! Rules that read related rows.

use clearance::{Access, Db, Field, Read, Result, Write, testing};

use crate::blog::{
    Comment, CommentView, Post, Reader, Title, account, blog, comment, post, reader,
};
use crate::support::{Directory, Statements, execute, system};

const NONE: [i64; 0] = [];

async fn read_access() -> Access<Read<Reader>> {
    Access::<Read<Reader>>::authenticated().await.unwrap()
}

async fn write_access() -> Access<Write<Reader>> {
    Access::<Write<Reader>>::authenticated().await.unwrap()
}

async fn titles(db: &Db, viewer: Reader) -> Vec<i64> {
    testing::as_viewer(viewer)
        .scope(async {
            let access = read_access().await;
            let query = Title::select().order(Title::ID.asc());
            let rows = db.reader(&access).all(query).await.unwrap();
            rows.into_iter().map(|row| row.id).collect()
        })
        .await
}

async fn comments(db: &Db, viewer: Reader) -> Vec<CommentView> {
    testing::as_viewer(viewer)
        .scope(async {
            let access = read_access().await;
            let query = CommentView::select().order(CommentView::ID.asc());
            db.reader(&access).all(query).await.unwrap()
        })
        .await
}

fn shown<T>(rows: &[CommentView], field: fn(&CommentView) -> &Field<T>) -> Vec<i64> {
    rows.iter()
        .filter(|row| !field(row).is_hidden())
        .map(|row| row.id)
        .collect()
}

#[tokio::test]
async fn r5_a_row_rule_reads_the_parent_and_the_list_of_grants() {
    let Directory { db, .. } = &blog().await;
    assert_eq!(titles(db, reader(1, Some("red"))).await, [1, 2]);
    assert_eq!(titles(db, reader(2, Some("blue"))).await, [3]);
    // A grant of a topic; a null topic joins nothing, and `Cats` is not `cats`.
    assert_eq!(titles(db, reader(7, None)).await, [4]);
    // Nobody's team is not the team of those without one.
    assert_eq!(titles(db, reader(8, None)).await, NONE);
}

#[tokio::test]
async fn n6_a_row_is_there_once_however_many_related_rows_allow_it() {
    let directory = blog().await;
    let (statements, _guard) = Statements::listen();
    assert_eq!(titles(&directory.db, reader(7, None)).await, [4]);
    let sql = statements.one();
    assert!(!sql.contains("JOIN"), "{sql}");
}

#[tokio::test]
async fn n6_two_conditions_on_one_row_are_one_condition() {
    let directory = blog().await;
    let (statements, _guard) = Statements::listen();
    testing::as_viewer(reader(1, None))
        .scope(async {
            let access = write_access().await;
            let writer = directory.db.writer(&access);
            let update = writer.update::<Post>(1).set(Post::TITLE, "new");
            update.execute().await.unwrap();
            let banned = writer.update::<Post>(2).set(Post::TITLE, "new");
            assert!(banned.execute().await.unwrap_err().is_not_found());
        })
        .await;
    let sql = statements.take().swap_remove(0);
    assert_eq!(sql.matches("\"accounts\" AS").count(), 1, "{sql}");
}

#[tokio::test]
async fn r6_a_deny_rule_hides_the_row_beside_an_allow_rule() {
    let directory = blog().await;
    let access = system();
    let reported = comment(6, 1, Some(1), Some(true));
    directory.db.writer(&access).insert(reported).await.unwrap();
    assert_eq!(titles(&directory.db, reader(1, Some("red"))).await, [2]);
}

#[tokio::test]
async fn n2_a_deny_rule_that_cannot_be_decided_denies() {
    let directory = blog().await;
    // Nobody has said whether the comment of post 2 was reported.
    execute(
        &directory.pool,
        "UPDATE comments SET reported = NULL WHERE id = 5",
    )
    .await;
    assert_eq!(titles(&directory.db, reader(1, Some("red"))).await, [1]);
}

#[tokio::test]
async fn n5_without_its_one_related_row_a_condition_is_unknown_both_ways() {
    let Directory { db, .. } = &blog().await;
    let rows = comments(db, reader(1, None)).await;
    // Comments 3 and 4 have no author: null, and gone. Comment 2 is by a banned one.
    assert_eq!(shown(&rows, |row| &row.reported), [1, 5]);
    assert_eq!(shown(&rows, |row| &row.author_id), [1, 5]);
}

#[tokio::test]
async fn n4_all_holds_of_none_and_exists_does_not() {
    let directory = blog().await;
    let db = &directory.db;
    let rows = comments(db, reader(1, None)).await;
    // Post 3 has a comment by nobody.
    assert_eq!(shown(&rows, |row| &row.post_id), [1, 2, 5]);

    // Post 4 has no comment at all, so nobody else's stands in the way of deleting it.
    testing::as_viewer(reader(9, None))
        .scope(async {
            let access = write_access().await;
            db.writer(&access).delete::<Post>(4).await.unwrap();
        })
        .await;
}

#[tokio::test]
async fn n4_a_null_among_the_related_rows_keeps_the_opposite_unknown() {
    let directory = blog().await;
    let delete = async |viewer: i64, id: i64| -> Result<()> {
        testing::as_viewer(reader(viewer, None))
            .scope(async {
                let access = write_access().await;
                directory.db.writer(&access).delete::<Post>(id).await
            })
            .await
    };
    // Post 3 has one comment by nobody known: whether it is somebody else's is unknown.
    execute(&directory.pool, "DELETE FROM comments WHERE id = 4").await;
    assert!(delete(2, 3).await.unwrap_err().is_not_found());
    // Post 2 has one comment, and it is the viewer's own.
    assert!(delete(4, 2).await.unwrap_err().is_not_found());
    delete(3, 2).await.unwrap();
}

#[tokio::test]
async fn r5_a_rule_reads_two_relations_away() {
    let Directory { db, .. } = &blog().await;
    let rows = comments(db, reader(1, None)).await;
    assert_eq!(shown(&rows, |row| &row.text), [1, 2]);
    let rows = comments(db, reader(2, None)).await;
    assert_eq!(shown(&rows, |row| &row.text), [3, 4]);
}

#[tokio::test]
async fn r5_the_same_answer_for_one_and_for_all() {
    let Directory { db, .. } = &blog().await;
    testing::as_viewer(reader(1, Some("red")))
        .scope(async {
            let access = read_access().await;
            let reader = db.reader(&access);
            let one = |id: i64| reader.one(Title::select().lookup(Post::ID, id));
            assert_eq!(one(1).await.unwrap().title, "post1");
            for hidden in [3, 4, 5] {
                assert!(one(hidden).await.unwrap_err().is_not_found());
            }
        })
        .await;
}

#[tokio::test]
async fn rows_in_memory_have_no_related_rows_so_projecting_them_is_a_misuse() {
    testing::as_viewer(reader(1, Some("red")))
        .scope(async {
            let access = read_access().await;
            let error = access
                .project::<Title>([post(1, Some(1), None)])
                .await
                .unwrap_err();
            assert!(error.is_misuse(), "{error}");
            assert!(error.to_string().contains("related rows"), "{error}");
        })
        .await;
}

#[tokio::test]
async fn s13_a_condition_on_related_rows_reads_them_as_they_are() {
    // Comments have no rule that lets this viewer read the post, and the rule asks all the same.
    let directory = blog().await;
    let access = system();
    let writer = directory.db.writer(&access);
    writer.insert(account(20, None)).await.unwrap();
    writer.insert(post(20, Some(20), None)).await.unwrap();
    writer
        .insert(comment(20, 20, Some(20), None))
        .await
        .unwrap();
    let viewer = reader(20, None);
    assert_eq!(titles(&directory.db, viewer.clone()).await, NONE);
    let rows = comments(&directory.db, viewer).await;
    assert_eq!(shown(&rows, |row| &row.text), [20]);
}

#[test]
fn relations_are_listed_with_their_table() {
    use clearance::entity::Cardinality;

    let relations = <Comment as clearance::Entity>::__table().relations();
    let listed: Vec<_> = relations
        .iter()
        .map(|relation| {
            (
                relation.name(),
                relation.cardinality(),
                relation.target().name(),
            )
        })
        .collect();
    assert_eq!(
        listed,
        [
            ("post", Cardinality::One, "posts"),
            ("author", Cardinality::One, "accounts"),
        ]
    );
}
