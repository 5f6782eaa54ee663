//! Names of the application's and of the library's never meet in a statement: whatever tables and
//! columns are called, every answer is that under ordinary names.

use std::fmt::{Debug, Write as _};

use clearance::dto::Aggregate;
use clearance::repository::Page;
use clearance::{
    Access, Db, Dto, Entity, Field, Key, Read, RequestContext, Sessions, SourceError, Subject,
    Viewer as _, ViewerSource, Write, async_trait,
};
use http::HeaderMap;
use http::header::COOKIE;

use crate::blog::{Reader, reader};
use crate::engines::{Engine, database, engine};
use crate::support::{Directory, Statements, system};

/// Three tables and what is done with them, under these names. The columns of owners are key, name and
/// team; those of posts key, owner, parent, title and rank; those of notes key, post, reader and text.
macro_rules! names {
    (
        $module:ident: $owners:literal [$o1:literal $o2:literal $o3:literal],
        $posts:literal [$p1:literal $p2:literal $p3:literal $p4:literal $p5:literal],
        $notes:literal [$n1:literal $n2:literal $n3:literal $n4:literal]
    ) => {
        mod $module {
            use super::*;

            #[derive(Debug, Clone, Entity)]
            #[entity(
                table = $owners,
                viewer = Reader,
                has_many(posts: Post, by = owner_id),
                read_if(!exists(row.posts, |post| post.rank > 90)),
                delete_if(!exists(row.posts, |post| post.rank > 0))
            )]
            pub struct Owner {
                #[entity(key, column = $o1)]
                pub id: i64,
                #[entity(column = $o2)]
                pub name: String,
                #[entity(column = $o3)]
                pub team: Option<String>,
            }

            #[derive(Debug, Clone, Entity)]
            #[entity(
                table = $posts,
                viewer = Reader,
                belongs_to(owner: Owner, by = owner_id),
                belongs_to(parent: Post, by = parent_id),
                has_many(children: Post, by = parent_id),
                has_many(notes: Note, by = post_id),
                read_if(
                    exists(row.owner, |owner| same(viewer.team, owner.team))
                        || exists(row.parent, |parent| exists(parent.owner, |owner| owner.id == viewer.id))
                        || exists(row.notes, |note| note.reader == viewer.id)
                ),
                create_if(exists(row.owner, |owner| owner.id == viewer.id)),
                update_if(exists(row.owner, |owner| owner.id == viewer.id)),
                delete_if(
                    !exists(row.notes, |note| note.reader != viewer.id)
                        && !exists(row.children, |child| child.rank > 1)
                )
            )]
            pub struct Post {
                #[entity(key, column = $p1)]
                pub id: i64,
                #[entity(column = $p2)]
                pub owner_id: Option<i64>,
                #[entity(column = $p3)]
                pub parent_id: Option<i64>,
                #[entity(lookup, column = $p4)]
                pub title: String,
                #[entity(column = $p5)]
                pub rank: i64,
            }

            #[derive(Debug, Clone, Entity)]
            #[entity(
                table = $notes,
                viewer = Reader,
                belongs_to(post: Post, by = post_id),
                read_if(exists(row.post, |post| exists(post.owner, |owner| owner.id == viewer.id))),
                delete_if(exists(row.post, |post| exists(post.owner, |owner| owner.id == viewer.id)))
            )]
            pub struct Note {
                #[entity(key, column = $n1)]
                pub id: i64,
                #[entity(column = $n2)]
                pub post_id: i64,
                #[entity(column = $n3)]
                pub reader: i64,
                #[entity(column = $n4)]
                pub text: String,
            }

            #[derive(Debug, Dto)]
            #[dto(entity = Owner, default = visible)]
            pub struct OwnerView {
                pub id: i64,
                #[visible_if(same(viewer.team, row.team))]
                #[dto(mask = initial)]
                pub name: String,
            }

            #[derive(Debug, Dto)]
            #[dto(entity = Note, default = visible)]
            pub struct NoteView {
                pub id: i64,
                #[visible_if(exists(row.post, |post| post.rank < 3))]
                pub text: Field<String>,
            }

            #[derive(Debug, Dto)]
            #[dto(entity = Post, default = visible)]
            pub struct PostView {
                pub id: i64,
                #[visible_if(exists(row.owner, |owner| owner.id == viewer.id))]
                pub title: Field<String>,
                #[visible_if(exists(row.parent, |parent| parent.rank > 1))]
                pub parent_id: Field<Option<i64>>,
                pub rank: i64,
                #[dto(related)]
                pub owner: Option<OwnerView>,
                #[dto(related)]
                pub notes: Vec<NoteView>,
            }

            pub async fn answers(directory: &Directory) -> String {
                let owners = [$o1, $o2, $o3];
                let posts = [$p1, $p2, $p3, $p4, $p5];
                let notes = [$n1, $n2, $n3, $n4];
                lay_out(directory, $owners, &owners, &["INTEGER PRIMARY KEY", "TEXT NOT NULL", "TEXT"]).await;
                let types = ["INTEGER PRIMARY KEY", "INTEGER", "INTEGER", "TEXT NOT NULL", "INTEGER NOT NULL"];
                lay_out(directory, $posts, &posts, &types).await;
                let types = ["INTEGER PRIMARY KEY", "INTEGER NOT NULL", "INTEGER NOT NULL", "TEXT NOT NULL"];
                lay_out(directory, $notes, &notes, &types).await;
                let db = &directory.db;
                let access = system();
                let writer = db.writer(&access);
                let rows = OWNERS.map(|(id, team)| Owner {
                    id,
                    name: format!("owner{id}"),
                    team: team.map(Into::into),
                });
                writer.insert_many(rows).await.unwrap();
                let rows = POSTS.map(|(id, owner_id, parent_id, rank)| Post {
                    id,
                    owner_id,
                    parent_id,
                    title: format!("post{id}"),
                    rank,
                });
                writer.insert_many(rows).await.unwrap();
                let rows = NOTES.map(|(id, post_id, reader)| Note {
                    id,
                    post_id,
                    reader,
                    text: format!("note{id}"),
                });
                writer.insert_many(rows).await.unwrap();

                let sessions = sessions(db);
                let mut told = String::new();
                for viewer in [1, 2, 3, 9] {
                    let request = signed_in(&sessions, viewer).await;
                    request.scope(read(db, viewer, &mut told)).await;
                }
                for viewer in [9, 3, 2, 1] {
                    let request = signed_in(&sessions, viewer).await;
                    request.scope(write(db, viewer, &mut told)).await;
                    request.scope(read(db, viewer, &mut told)).await;
                }
                told
            }

            async fn read(db: &Db, viewer: i64, told: &mut String) {
                let access = Access::<Read<Reader>>::authenticated().await.unwrap();
                let reader = db.reader(&access);
                let mut tell = |what: &str, answer: &dyn Debug| {
                    writeln!(told, "{viewer} {what}: {answer:?}").unwrap();
                };
                let posts = || PostView::select().order(PostView::ID.asc());
                tell("owners", &reader.all(OwnerView::select().order(OwnerView::ID.desc())).await);
                tell("posts", &reader.all(posts()).await);
                tell("notes", &reader.all(NoteView::select().order(NoteView::TEXT.asc())).await);
                let by_parent = PostView::select().order(PostView::PARENT_ID.desc());
                tell("by parent", &reader.all(by_parent).await);
                let by_notes = PostView::select().order(PostView::NOTES.count().desc());
                tell("by notes", &reader.all(by_notes).await);
                let named = || PostView::TITLE.eq("post2").or(PostView::TITLE.ends_with("1"));
                tell("named", &reader.all(posts().filter(named())).await);
                let hidden = || PostView::NOTES.exists(NoteView::TEXT.ne("note1"));
                tell("noted", &reader.all(posts().filter(hidden())).await);
                tell("not noted", &reader.all(posts().filter(!hidden())).await);
                let many = posts().filter(PostView::ID.is_in(0..1_200));
                tell("a long list", &reader.all(many).await);
                tell("lookup", &reader.optional(PostView::select().lookup(Post::TITLE, "post4")).await);
                tell("count", &reader.count(posts().filter(PostView::PARENT_ID.is_not_null())).await);
                let wanted = (
                    Aggregate::<PostView, _>::rows(),
                    PostView::RANK.sum(),
                    PostView::TITLE.max(),
                );
                tell("groups", &reader.groups(PostView::select(), PostView::PARENT_ID, wanted).await);
                let order = || PostView::select().order(PostView::TITLE.asc());
                let first = reader.page(order(), Page::first(2)).await.unwrap();
                tell("first page", &first.rows);
                if let Some(next) = &first.next {
                    let second = reader.page(order(), Page::after(2, next)).await.unwrap();
                    tell("next page", &second.rows);
                }
            }

            async fn write(db: &Db, viewer: i64, told: &mut String) {
                let access = Access::<Write<Reader>>::authenticated().await.unwrap();
                let writer = db.writer(&access);
                let mut tell = |what: &str, answer: &dyn Debug| {
                    writeln!(told, "{viewer} {what}: {answer:?}").unwrap();
                };
                for id in 1..=5 {
                    let update = writer.update::<Post>(id).set(Post::TITLE, format!("by {viewer}"));
                    tell("update", &update.returning_if_visible::<PostView>().await);
                }
                let some = || PostView::select().filter(PostView::RANK.le(2));
                let many = || writer.update_many(some()).set(Post::RANK, 4 + viewer);
                tell("all of many", &many().execute_all().await);
                tell("many", &many().execute_permitted().await);
                let new = |id: i64, owner: i64| Post {
                    id,
                    owner_id: Some(owner),
                    parent_id: Some(1),
                    title: "new".into(),
                    rank: 1,
                };
                tell("create", &writer.create(new(20 + viewer, viewer)).execute().await);
                tell("create another's", &writer.create(new(30 + viewer, 2)).execute().await);
                for (id, owner) in [(20 + viewer, viewer), (40 + viewer, viewer), (50 + viewer, 1)] {
                    let update = writer.update::<Post>(id).set(Post::TITLE, "put");
                    tell("upsert", &update.or_create(writer.create(new(id, owner))).await);
                }
                let several = [new(60 + viewer, viewer), new(70 + viewer, viewer)];
                tell("several", &writer.insert_many(several).await);
                for id in 1..=4 {
                    tell("delete a note", &writer.delete::<Note>(id).await);
                }
                tell("delete an owner", &writer.delete::<Owner>(viewer).await);
                for id in 1..=5 {
                    tell("delete a post", &writer.delete::<Post>(id).await);
                }
            }
        }
    };
}

names!(ordinary: "owners" ["id" "name" "team"],
    "posts" ["id" "owner_id" "parent_id" "title" "rank"],
    "notes" ["id" "post_id" "reader" "text"]);

// What the tables of a statement are called in it, and what it calls its cells.
names!(aliases: "t1" ["t0" "t1" "present"],
    "t0" ["t2" "t0" "order_0" "title_visible" "order_key"],
    "t2" ["t1" "t3" "joined_by_post_id" "key_0"]);

names!(older_aliases: "related_1" ["related_1" "related_2" "id_visible"],
    "Related_2" ["related_1" "row_id" "cell_0" "key_0_visible" "key_0"],
    "session" ["session" "related_0" "rank" "id"]);

names!(capitals: "T1" ["T0" "ID" "T1"],
    "T0" ["Id" "T1" "PRESENT" "Order_0" "T2"],
    "U1" ["U0" "U1" "T0" "u2"]);

names!(reserved: "select" ["order" "group" "null"],
    "order" ["rowid" "user" "before" "row" "default"],
    "from" ["where" "exists" "limit" "from"]);

names!(functions: "cells" ["cells" "list" "value"],
    "one_row" ["v" "one_row" "cells" "value" "count"],
    "list" ["list" "value" "v" "pragma"]);

names!(marks: "it's \"all\" `one`" ["a \"key\"" "`na`me" "te'am --x"],
    "?; DROP TABLE posts; --" ["$1" "?" "%s" "{}" "\\"],
    "Größe 表 [x]" ["ключ" "[post]" "リーダー" "a\tb"]);

const OWNERS: [(i64, Option<&str>); 3] = [(1, Some("red")), (2, Some("blue")), (3, None)];

const POSTS: [(i64, Option<i64>, Option<i64>, i64); 5] = [
    (1, Some(1), None, 1),
    (2, Some(1), Some(1), 2),
    (3, Some(2), Some(2), 3),
    (4, None, Some(3), 5),
    (5, Some(3), Some(9), 95),
];

const NOTES: [(i64, i64, i64); 4] = [(1, 1, 1), (2, 2, 9), (3, 4, 3), (4, 3, 3)];

struct Readers;

#[async_trait]
impl ViewerSource<Reader> for Readers {
    async fn load(&self, subject: &Subject) -> Result<Option<Reader>, SourceError> {
        let id = subject.parse().unwrap();
        let team = match id {
            1 => Some("red"),
            2 => Some("blue"),
            _ => None,
        };
        Ok(Some(reader(id, team)))
    }
}

/// In the same database, so that each write looks for the session itself.
fn sessions(db: &Db) -> Sessions<Reader> {
    Sessions::builder(Key::generate().unwrap(), db.session_store(), Readers)
        .app_url("https://app.example")
        .build()
        .unwrap()
}

async fn signed_in(sessions: &Sessions<Reader>, viewer: i64) -> RequestContext {
    let session = sessions
        .create(&reader(viewer, None).subject())
        .await
        .unwrap();
    let cookie = session.into_set_cookies().remove(0);
    let pair = cookie.to_str().unwrap().split(';').next().unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(COOKIE, pair.parse().unwrap());
    RequestContext::new(sessions, &headers)
}

fn quoted(name: &str) -> String {
    match engine() {
        Engine::Sqlite | Engine::Postgres => format!("\"{}\"", name.replace('"', "\"\"")),
        Engine::Mysql => format!("`{}`", name.replace('`', "``")),
    }
}

async fn lay_out(directory: &Directory, table: &str, columns: &[&str], types: &[&str]) {
    let columns = columns.iter().zip(types).map(|(name, kind)| {
        let kind = engine().schema(kind);
        format!("{} {}", quoted(name), kind.trim())
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    let sql = format!("CREATE TABLE {} ({columns})", quoted(table));
    directory.pool.execute(&sql).await;
}

async fn empty() -> Directory {
    let directory = database("").await;
    directory.db.migrate().await.unwrap();
    directory
}

#[tokio::test]
async fn t_31_no_name_of_a_table_or_column_changes_an_answer() {
    let ordinary = ordinary::answers(&empty().await).await;
    // Each viewer finds something, and may do something.
    for line in [
        "1 create: Ok",
        "2 delete a post: Ok",
        "9 delete a post: Ok",
        "3 several: Ok",
    ] {
        assert!(ordinary.contains(line), "{ordinary}");
    }
    assert!(ordinary.contains("Visible"), "{ordinary}");
    macro_rules! same {
        ($($module:ident)*) => {$(
            let answers = $module::answers(&empty().await).await;
            for (one, other) in answers.lines().zip(ordinary.lines()) {
                assert_eq!(one, other, stringify!($module));
            }
            assert_eq!(answers.len(), ordinary.len(), stringify!($module));
        )*};
    }
    same!(aliases older_aliases capitals reserved functions marks);
}

/// The name before the point that stands there, of each column that is qualified.
fn qualifiers(statement: &str) -> Vec<&str> {
    statement
        .split("\".\"")
        .filter_map(|part| part.rsplit('"').next())
        .collect::<Vec<_>>()
}

#[tokio::test]
async fn t_31_each_column_is_qualified_by_a_name_of_the_librarys_own() {
    let directory = empty().await;
    let (statements, _guard) = Statements::listen();
    ordinary::answers(&directory).await;
    capitals::answers(&empty().await).await;
    aliases::answers(&empty().await).await;
    let statements = statements.take();
    let own = |name: &str| {
        matches!(name, "cells" | "session" | "excluded")
            || name.starts_with("clearance_")
            || (name.starts_with(['t', 'u']) && name[1..].parse::<usize>().is_ok())
    };
    let mut columns = 0;
    for statement in &statements {
        let target = statement
            .strip_prefix("DELETE FROM \"")
            .and_then(|rest| rest.split('"').next())
            .filter(|_| engine() == Engine::Mysql);
        let parts = statement.split("\".\"").count() - 1;
        for qualifier in &qualifiers(statement)[..parts] {
            columns += 1;
            assert!(
                own(qualifier) || target == Some(qualifier),
                "{qualifier} in {statement}"
            );
        }
        if let Some(target) = target {
            let alias = format!("AS \"{}\"", target.to_lowercase());
            assert!(
                !statement.to_lowercase().contains(&alias.to_lowercase()),
                "{statement}"
            );
        }
    }
    assert!(columns > 1_000, "{columns}");
}
