//! Snapshots of the macros' output, each with its input.

use proc_macro2::TokenStream;

use crate::diag::Diag;
use crate::{expand, tokens};

/// Returns the input and the formatted output.
fn shown(input: &str, expand: impl FnOnce(TokenStream) -> TokenStream) -> String {
    let output = expand(input.parse().expect("the input is made of tokens"));
    let file = syn::parse2(output).expect("the output is items");
    format!("{input}\n----\n{}", prettyplease::unparse(&file))
}

macro_rules! snapshot {
    ($name:ident, $expand:expr, $input:literal) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!(stringify!($name), shown($input, $expand));
        }
    };
}

snapshot!(
    viewer,
    expand::viewer,
    "struct Member { #[viewer(subject)] number: i64 }"
);

snapshot!(
    x4_entity_states_each_operation,
    expand::entity,
    r#"#[entity(table = "users", viewer = Member)]
#[entity(read_if(!row.suspended || viewer.role >= Role::Admin), read_unless(rule = is_blocked))]
#[entity(create_if(true))]
pub struct User {
    #[entity(key)] id: i64,
    #[entity(lookup, column = "slug_text")] slug: String,
    suspended: bool,
}"#
);

snapshot!(
    x4_entity_with_an_error_denies_every_operation,
    expand::entity,
    r#"#[entity(table = "users", read_if(row.name.len() > 3))]
struct User { #[entity(key)] id: i64, name: String }"#
);

snapshot!(
    x3_dto_writes_each_output,
    expand::dto,
    r#"#[dto(entity = User, default = visible)]
#[serde(rename_all = "camelCase")]
struct Profile {
    user_id: i64,
    #[visible_if(viewer.id == row.id)] phone: Field<Option<String>>,
    #[hidden_if(LIST.contains(&row.team) && context.now > row.until)] team: Option<String>,
    #[visible_if(rule = can_see_mail)] #[dto(mask = domain)] mail: String,
    #[visible_if(opaque(is_holiday))] #[dto(mask_in_process = blur)] r#type: String,
    #[visible_if(same(viewer.team, row.team))] #[dto(hidden = error)] notes: String,
}"#
);

snapshot!(
    x4_dto_with_an_error_shows_nothing,
    expand::dto,
    r#"#[dto(entity = User)]
struct Profile { #[visible] id: i64, phone: Field<String> }"#
);

snapshot!(
    rb_02_roles_are_ordered_as_declared,
    expand::roles,
    r#"enum Role { Reader, #[roles(name = "boss")] Admin }"#
);

snapshot!(
    dt_03_named_rule,
    |item| expand::rule(TokenStream::new(), item),
    "/// Docs.\npub fn can_see(viewer: &Member, row: &User) -> bool { viewer.id == 1 || same(viewer.team, row.team) }"
);

snapshot!(
    x5_repository_guards_each_method,
    |item| expand::repository("viewer = Member".parse().expect("tokens"), item),
    r#"impl<D: Send> Users<D> {
    #[authenticated(access)]
    pub async fn profile<T: Into<String>>(&self, slug: T, (a, _): (Self, u8)) -> Result<Profile> { todo!() }
    #[authorize(access: Write, if viewer.role >= Role::Editor && id != 3)]
    pub async fn rename(&self, id: i64) -> Result<Profile> { todo!() }
    #[public(access, reason = "names")]
    async fn names(&self) -> Result<Vec<Name>> { todo!() }
    pub async fn open(&self) -> Result<()> { todo!() }
}"#
);

snapshot!(
    x5_repository_behind_a_trait,
    |item| expand::repository("viewer = Member".parse().expect("tokens"), item),
    r#"#[async_trait]
impl Directory for Users {
    #[authenticated(access)]
    async fn all(&self) -> Result<Vec<Profile>> { todo!() }
}"#
);

snapshot!(
    x5_release_checks_each_field,
    expand::release,
    "struct Page<T> { rows: Vec<T>, total: u64 }"
);

#[test]
fn x5_block_that_cannot_be_read_is_not_passed_through() {
    let item = "impl Users { pub async fn all(&self } }".parse::<TokenStream>();
    assert!(item.is_err(), "unbalanced input is refused by the compiler");
    let item = "impl Users { pub async fn (&self) -> Result<()> { leak() } }"
        .parse()
        .expect("tokens");
    let output = expand::repository(TokenStream::new(), item).to_string();
    assert!(output.contains("compile_error"));
    assert!(!output.contains("leak"));
}

#[test]
fn x5_body_that_does_not_parse_yet_is_passed_on() {
    let item =
        "impl Users { #[authenticated(access)] async fn all(&self) -> Result<()> { self. } }"
            .parse()
            .expect("tokens");
    let arguments = "viewer = Member".parse().expect("tokens");
    let output = expand::repository(arguments, item).to_string();
    assert!(output.contains("{ self . }"));
    assert!(!output.contains("compile_error"));
}

#[test]
fn x24_the_forms_of_a_rule_are_listed_once_and_their_page_is_named_in_each_error() {
    let input = r#"#[dto(entity = User)]
struct Profile {
    #[visible_if(row)] a: Field<String>,
    #[visible_if((|| row.b)())] b: Field<String>,
    #[visible_if(row.c ^ row.d)] c: Field<String>,
}"#;
    let output = expand::dto(input.parse().expect("tokens")).to_string();
    let errors = output.matches("compile_error").count();
    let forms = output.matches("a rule compares columns").count();
    let pages = output.matches("derive.Entity.html#rules").count();
    assert_eq!((errors, forms, pages), (3, 1, 3), "{output}");
}

#[test]
fn x4_more_fields_than_bits_are_refused() {
    let fields: String = (0..129).map(|n| format!("f{n}: i64,")).collect();
    let input = format!("#[dto(entity = User, default = visible)] struct Wide {{ {fields} }}");
    let output = expand::dto(input.parse().expect("tokens")).to_string();
    assert!(output.contains("at most 128 fields"));
}

#[test]
fn x6_rule_text_reads_as_it_was_written() {
    for text in [
        "viewer.role >= Role::Admin || same(viewer.team, row.team)",
        "!row.suspended && [1, 2].contains(&row.limit)",
        "context.now<row.until",
    ] {
        let parsed: TokenStream = text.parse().expect("tokens");
        assert_eq!(tokens::text(parsed), text);
        let expr: syn::Expr = syn::parse_str(text).expect("an expression");
        assert_eq!(tokens::text(quote::ToTokens::to_token_stream(&expr)), text);
    }
}

#[test]
fn variables_are_told_from_members() {
    let mentions = |text: &str| tokens::mentions(text.parse().expect("tokens"), "row");
    assert!(mentions("row.a == 1"));
    assert!(mentions("0..row"));
    assert!(mentions("f(&[row])"));
    assert!(!mentions("viewer.row == 1"));
    assert!(!mentions("rows.a"));
}

#[test]
#[should_panic(expected = "never shown")]
fn errors_cannot_be_dropped_unread() {
    let mut diag = Diag::default();
    diag.push(syn::Error::new(proc_macro2::Span::call_site(), "lost"));
}

snapshot!(
    w9_input_states_who_may_set_each_field,
    |input| expand::incoming(input, crate::syntax::input::Derive::Input),
    r#"#[input(entity = Note)]
#[preset(owner = viewer.id, created = context.now)]
#[serde(rename_all = "camelCase")]
struct NewNote {
    #[writable] #[garde(length(max = 80))] note_title: String,
    #[writable_if(viewer.editor || row.rank < 3)] rank: Assign<i64>,
    #[unstored] #[serde(rename = "secret")] password: String,
}"#
);

snapshot!(
    w21_patch_names_what_shows_each_field,
    |input| expand::incoming(input, crate::syntax::input::Derive::Patch),
    r#"#[patch(entity = Note, reads = NoteView)]
#[preset(edited = context.now)]
struct EditNote {
    #[writable] title: Assign<String>,
    #[writable(blind)] #[writable_if(row.stage > before.stage)] stage: Assign<i64>,
}"#
);

snapshot!(
    w9_input_with_an_error_takes_nothing,
    |input| expand::incoming(input, crate::syntax::input::Derive::Input),
    r#"#[input(entity = Note)]
struct NewNote { title: String }"#
);
