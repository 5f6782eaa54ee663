//! The articles of a journal: who may read, write and publish them, and see who wrote them.

use chrono::{DateTime, Utc};
use clearance::{Db, Dto, Entity, Field, Result, Roles, Viewer, repository, rule};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Roles)]
pub(crate) enum Role {
    Reader,
    Author,
    Editor,
}

#[derive(Debug, Clone, Viewer)]
pub(crate) struct Member {
    pub(crate) id: i64,
    pub(crate) role: Role,
    pub(crate) desk: Option<String>,
}

/// What is published is there for everybody; what is not, for its author, its desk and the
/// editors.
#[rule]
fn readable(viewer: &Member, row: &Article, context: &clearance::policy::Context) -> bool {
    row.published_at <= context.now
        || row.author == viewer.id
        || same(viewer.desk, row.desk)
        || viewer.role >= Role::Editor
}

#[derive(Entity)]
#[entity(
    table = "articles",
    viewer = Member,
    read_if(rule = readable),
    create_if(viewer.role >= Role::Author && row.author == viewer.id),
    update_if(row.author == viewer.id || viewer.role >= Role::Editor),
    delete_if(viewer.role >= Role::Editor)
)]
pub(crate) struct Article {
    #[entity(key)]
    pub(crate) id: i64,
    #[entity(lookup)]
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) author: i64,
    pub(crate) author_email: String,
    pub(crate) desk: Option<String>,
    pub(crate) fee: i64,
    pub(crate) published_at: Option<DateTime<Utc>>,
}

#[derive(Entity)]
#[entity(
    table = "sections",
    viewer = Member,
    rows = open,
    reason = "the sections stand on the front page"
)]
pub(crate) struct Section {
    #[entity(key)]
    pub(crate) id: i64,
    pub(crate) name: String,
}

#[derive(Debug, Dto)]
#[dto(entity = Article)]
pub(crate) struct Teaser {
    #[visible]
    pub(crate) title: String,
    #[visible_if(viewer.role >= Role::Editor || row.author == viewer.id)]
    #[dto(mask = domain)]
    pub(crate) author_email: String,
}

#[derive(Debug, Dto)]
#[dto(entity = Article)]
pub(crate) struct Desk {
    #[visible]
    pub(crate) id: i64,
    #[visible]
    pub(crate) title: String,
    #[visible_if(viewer.role >= Role::Editor || row.author == viewer.id)]
    pub(crate) fee: Field<i64>,
    #[visible_if(viewer.role >= Role::Author)]
    pub(crate) author_email: Field<String>,
}

#[derive(Debug, Dto)]
#[dto(entity = Section, default = visible)]
pub(crate) struct SectionName {
    pub(crate) name: String,
}

pub(crate) struct Articles {
    db: Db,
}

#[repository(viewer = Member)]
impl Articles {
    #[public(access, reason = "the front page is for everybody")]
    pub(crate) async fn front_page(&self) -> Result<Vec<Teaser>> {
        self.db
            .reader(&access)
            .all(Teaser::select().limit(20))
            .await
    }

    #[public(access, reason = "the front page is for everybody")]
    pub(crate) async fn sections(&self) -> Result<Vec<SectionName>> {
        self.db.reader(&access).all(SectionName::select()).await
    }

    #[authorize(access, if viewer.role >= Role::Author)]
    pub(crate) async fn desk(&self) -> Result<Vec<Desk>> {
        self.db.reader(&access).all(Desk::select()).await
    }

    #[authenticated(access: Write)]
    pub(crate) async fn rename(&self, id: i64, title: &str) -> Result<()> {
        let writer = self.db.writer(&access);
        let update = writer.update::<Article>(id);
        update.set(Article::TITLE, title.to_owned()).execute().await
    }

    #[authorize(access: Write, if viewer.role >= Role::Editor)]
    pub(crate) async fn withdraw(&self, id: i64) -> Result<()> {
        self.db.writer(&access).delete::<Article>(id).await
    }
}

clearance::app! {
    pub(crate) static APP = {
        viewer: Member,
        dtos: [Teaser, Desk, SectionName],
        repositories: [Articles],
    };
}
