//! Every derive inside a macro of the user's, over fragments of each kind.

mod library {
    use clearance::input::Assign;
    use clearance::{Db, Dto, Entity, Field, Input, Patch, Release, Result, Roles, TextEnum, Viewer, repository, rule};

    macro_rules! viewer {
        ($(#[$meta:meta])* $vis:vis $name:ident { $subject:ident: $subject_type:ty, $($field:ident: $ty:ty),* }) => {
            $(#[$meta])*
            #[derive(Viewer)]
            $vis struct $name {
                #[viewer(subject)]
                $vis $subject: $subject_type,
                $($vis $field: $ty,)*
            }
        };
    }

    viewer!(/** Who asks. */ pub Member { number: i64, role: Option<Role>, team: Option<String> });

    macro_rules! sets {
        ($roles:ident: $($role:ident = $role_name:literal),*; $set:ident: $($variant:ident),*) => {
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Roles)]
            pub enum $roles { $(#[roles(name = $role_name)] $role),* }

            #[derive(Debug, Clone, Copy, PartialEq, Eq, TextEnum, serde::Serialize)]
            pub enum $set { $($variant),* }
        };
    }

    sets!(Role: Reader = "reader", Editor = "editor"; Status: Draft, Published);

    macro_rules! entity {
        ($name:ident, $table:literal, $viewer:ty, $reads:expr, $key:ident: $key_type:ty,
            $author:ident by $by:ident: $target:path, $flag:ident, [$($rules:tt)*], $($field:ident: $ty:ty),*) => {
            #[derive(Entity)]
            #[entity(table = $table, viewer = $viewer, read_if($reads), $($rules)*)]
            #[entity(create_if(row.$by == viewer.number), belongs_to($author: $target, by = $by))]
            #[entity(update_if(viewer.role >= Role::Editor || exists(row.$author, |one| one.$key == viewer.number)))]
            #[entity(updated_if(row.$by == before.$by && $reads))]
            pub struct $name {
                #[entity(key)]
                pub $key: $key_type,
                #[entity(filter_if(row.$flag))]
                pub $by: i64,
                pub $flag: bool,
                $(pub $field: $ty,)*
            }
        };
    }

    entity!(Note, "notes", Member, row.writer == viewer.number || !row.hidden, id: i64,
        author by writer: User, hidden, [delete_if(row.writer == viewer.number && context.address.is_some())],
        title: String, team: Option<String>, status: Status);

    #[derive(Entity)]
    #[entity(table = "users", viewer = Member, rows = open, reason = "an example")]
    pub struct User {
        #[entity(key)]
        pub id: i64,
    }

    macro_rules! rules {
        ($name:ident, $viewer:ty, $row:ty, $condition:expr) => {
            #[rule]
            pub fn $name(viewer: &$viewer, row: &$row) -> bool {
                viewer.role >= Role::Editor && $condition
            }
        };
        ($name:ident: $($function:tt)*) => {
            #[rule]
            fn $name $($function)*
        };
    }

    rules!(own, Member, Note, row.writer == viewer.number);
    rules!(team: (viewer: &Member, row: &Note) -> bool { same(viewer.team, row.team) });

    fn shout(title: &String) -> String {
        title.to_uppercase()
    }

    fn blur(title: String) -> String {
        title
    }

    macro_rules! dto {
        ($name:ident of $entity:ty, $rule:path, $condition:expr, $plain:ident, $($field:ident: $ty:ty),*; $($made:ident: $made_type:ty = $function:path),*; $masked:ident: $masked_type:ty, $nested:ident: $nested_type:ty) => {
            #[derive(Dto)]
            #[dto(entity = $entity, default = visible)]
            pub struct $name {
                pub $plain: i64,
                $(
                    #[visible_if(rule = $rule)]
                    #[hidden_if($condition && viewer.number == 0)]
                    pub $field: $ty,
                )*
                $(
                    #[dto(computed = $function, from($masked))]
                    pub $made: $made_type,
                )*
                #[visible_if(opaque($rule::in_rust) || $condition)]
                #[dto(mask_in_process = blur)]
                pub $masked: $masked_type,
                #[dto(related)]
                pub $nested: $nested_type,
            }
        };
    }

    mod named {
        pub mod seen {
            use super::super::{Member, Note};

            pub fn in_rust(_: &Member, _: &Note, _: &clearance::policy::Context) -> bool {
                true
            }
        }
        pub use super::own as seen;
    }

    dto!(NoteView of Note, named::seen, row.hidden || viewer.team.is_none(), id,
        team: Field<Option<String>>, status: Option<Status>; shouted: Field<String> = shout; title: String, author: Option<UserView>);

    #[derive(Dto)]
    #[dto(entity = User, default = visible)]
    pub struct UserView {
        pub id: i64,
    }

    macro_rules! incoming {
        ($input:ident, $patch:ident, $entity:ident, $view:ident, $preset:ident = $value:expr, $condition:expr, $free:ident: $free_type:ty, $field:ident: $ty:ty, $extra:ident: $extra_type:ty) => {
            #[derive(Input)]
            #[input(entity = $entity)]
            #[preset($preset = $value)]
            pub struct $input {
                #[writable]
                pub $free: $free_type,
                #[writable_if($condition)]
                pub $field: $ty,
                #[unstored]
                pub $extra: $extra_type,
            }

            #[derive(Patch)]
            #[patch(entity = $entity, reads = $view)]
            pub struct $patch {
                #[writable(blind)]
                pub $free: Assign<$free_type>,
                #[writable_if($condition || same(row.$field, before.$field))]
                pub $field: Assign<$ty>,
            }
        };
    }

    incoming!(NewNote, EditNote, Note, NoteView, writer = viewer.number, viewer.role >= Role::Editor,
        title: String, team: Option<String>, password: String);

    macro_rules! release {
        ($name:ident<$parameter:ident> { $($field:ident: $ty:ty),* }) => {
            #[derive(Release)]
            pub struct $name<$parameter> { $(pub $field: $ty),* }

            #[derive(Release)]
            pub struct Flat { $(pub $field: Vec<NoteView>),* }
        };
    }

    release!(Page<T> { rows: Vec<T> });

    #[derive(Clone, PartialEq, Eq, Hash)]
    pub struct Notes {
        pub db: Db,
    }

    macro_rules! methods {
        ($repository:ty, $viewer:ty, $access:ident, $name:ident($($argument:ident: $ty:ty),*) -> $output:ty, $condition:expr, $body:block; $($rest:tt)*) => {
            #[repository(viewer = $viewer)]
            impl $repository {
                #[authorize($access, if $condition, if viewer.number > 0)]
                pub async fn $name(&self, $($argument: $ty),*) -> $output $body

                $($rest)*
            }
        };
    }

    methods!(Notes, Member, access, list(least: i64, name: &str) -> Result<Vec<NoteView>>,
        viewer.role >= Role::Editor || viewer.number == least || name.is_empty(), {
            let _ = access.viewer();
            Ok(Vec::new())
        };
        #[authenticated(access)]
        #[memo]
        pub async fn count(&self, name: &str) -> Result<usize> {
            drop(access);
            let _ = &self.db;
            Ok(name.len())
        }

        #[public(access, reason = "an example")]
        pub async fn names(&self) -> Result<Vec<UserView>> {
            self.db.reader(&access).all(UserView::select()).await
        }
    );

    pub async fn use_all(notes: &Notes, context: &clearance::RequestContext) -> Result<()> {
        notes.with(context).list(1, "a").await?;
        notes.with(context).count("a").await?;
        notes.names().await?;
        Ok(())
    }
}

macro_rules! whole {
    ($item:item) => {
        #[clearance::repository(viewer = library::Member)]
        $item
    };
}

struct Counts;

whole! {
    impl Counts {
        #[authenticated(access)]
        async fn one(&self) -> clearance::Result<i64> {
            drop(access);
            Ok(1)
        }
    }
}

fn main() {
    use library::*;

    let _ = use_all;
    let _ = |counts: &'static Counts| drop(counts.one());
    assert!(Role::Reader < Role::Editor);
    assert_eq!(Note::WRITER.field(), "writer");
    assert!(format!("{:?}", own().source()).contains("viewer.role >= Role::Editor"));
}
