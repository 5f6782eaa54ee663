//! Related rows are loaded for all rows of an answer at once, so there is no stream of them.

use clearance::repository::Rows;
use clearance::{Access, Db, Dto, Entity, Read, Result};
use clearance_compile_fail::{Member, User};

#[derive(Entity)]
#[entity(table = "posts", viewer = Member, rows = open, reason = "the case is about streams")]
#[entity(belongs_to(author: User, by = author_id))]
struct Post {
    #[entity(key)]
    id: i64,
    author_id: i64,
}

#[derive(Dto)]
#[dto(entity = User, default = visible)]
struct Author {
    id: i64,
}

#[derive(Dto)]
#[dto(entity = Post, default = visible)]
struct PostView {
    id: i64,
    #[dto(related)]
    author: Option<Author>,
}

async fn flat(db: &Db, access: &Access<Read<Member>>) -> Result<Rows<Author>> {
    db.reader(access).stream(Author::select()).await
}

async fn nested(db: &Db, access: &Access<Read<Member>>) -> Result<Rows<PostView>> {
    db.reader(access).stream(PostView::select()).await
}

fn main() {}
