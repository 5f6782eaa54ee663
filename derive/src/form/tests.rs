//! Every key of every attribute given twice: refused at the second, or joined.

use proc_macro2::{TokenStream, TokenTree};

use super::{Form, Stands};
use crate::expand;
use crate::syntax::input::Derive;

/// Returns two statements of one key.
fn statements(form: Form, key: &str) -> [&'static str; 2] {
    match (form, key) {
        (Form::Entity, "table") => ["table = \"a\"", "table = \"b\""],
        (Form::Entity | Form::Repository, "viewer") => ["viewer = A", "viewer = B"],
        (Form::Entity, "rows") => ["rows = open", "rows = open"],
        (Form::Entity | Form::Public, "reason") => ["reason = \"a\"", "reason = \"b\""],
        (Form::Entity, "viewer_of") => ["viewer_of", "viewer_of"],
        (Form::Entity, "belongs_to") => {
            ["belongs_to(one: A, by = id)", "belongs_to(two: B, by = id)"]
        }
        (Form::Entity, "has_many") => ["has_many(one: A, by = id)", "has_many(two: B, by = id)"],
        (Form::Entity, "tenant_if") => ["tenant_if(row.a == 1)", "tenant_if(row.b == 2)"],
        (Form::Entity, "read_if") => ["read_if(row.a == 1)", "read_if(row.b == 2)"],
        (Form::Entity, "read_unless") => ["read_unless(row.a == 1)", "read_unless(row.b == 2)"],
        (Form::Entity, "create_if") => ["create_if(row.a == 1)", "create_if(row.b == 2)"],
        (Form::Entity, "create_unless") => {
            ["create_unless(row.a == 1)", "create_unless(row.b == 2)"]
        }
        (Form::Entity, "update_if") => ["update_if(row.a == 1)", "update_if(row.b == 2)"],
        (Form::Entity, "update_unless") => {
            ["update_unless(row.a == 1)", "update_unless(row.b == 2)"]
        }
        (Form::Entity, "updated_if") => ["updated_if(row.a == 1)", "updated_if(row.b == 2)"],
        (Form::Entity, "updated_unless") => {
            ["updated_unless(row.a == 1)", "updated_unless(row.b == 2)"]
        }
        (Form::Entity, "delete_if") => ["delete_if(row.a == 1)", "delete_if(row.b == 2)"],
        (Form::Entity, "delete_unless") => {
            ["delete_unless(row.a == 1)", "delete_unless(row.b == 2)"]
        }
        (_, "crate") => ["crate = a", "crate = b"],
        (Form::EntityField, "key") => ["key", "key"],
        (Form::EntityField, "lookup") => ["lookup", "lookup"],
        (Form::EntityField, "column") => ["column = \"a\"", "column = \"b\""],
        (Form::EntityField, "filter_if") => ["filter_if(row.a == 1)", "filter_if(row.b == 2)"],
        (Form::EntityField, "filter_unless") => {
            ["filter_unless(row.a == 1)", "filter_unless(row.b == 2)"]
        }
        (Form::Dto, "dto") => ["#[dto(entity = A)]", "#[dto(default = visible)]"],
        (Form::Dto, "serde") => ["#[serde()]", "#[serde(rename_all = \"UPPERCASE\")]"],
        (Form::Dto | Form::DtoField, "visible") => ["#[visible]", "#[visible]"],
        (Form::Dto | Form::DtoField, "visible_if") => {
            ["#[visible_if(row.a == 1)]", "#[visible_if(row.b == 2)]"]
        }
        (Form::Dto | Form::DtoField, "hidden_if") => {
            ["#[hidden_if(row.a == 1)]", "#[hidden_if(row.b == 2)]"]
        }
        (Form::Dto, _) => ["#[derive(Debug)]", "#[derive(Clone)]"],
        (Form::DtoKeys | Form::InputKeys | Form::PatchKeys, "entity") => {
            ["entity = A", "entity = B"]
        }
        (Form::DtoKeys, _) => ["default = visible", "default = visible"],
        (Form::DtoField, "dto") => ["#[dto(mask = last4)]", "#[dto()]"],
        (Form::DtoField, _) => ["#[serde()]", "#[serde(rename = \"b\")]"],
        (Form::DtoFieldKeys, "hidden") => ["hidden = null", "hidden = omit"],
        (Form::DtoFieldKeys, "mask") => ["mask = last4", "mask = domain"],
        (Form::DtoFieldKeys, "mask_in_process") => ["mask_in_process = a", "mask_in_process = b"],
        (Form::DtoFieldKeys, "related") => ["related = a", "related = b"],
        (Form::DtoFieldKeys, "computed") => ["computed = a", "computed = b"],
        (Form::DtoFieldKeys, _) => ["from(a)", "from(b)"],
        (Form::Serde, _) => ["rename_all = \"UPPERCASE\"", "rename_all = \"lowercase\""],
        (Form::SerdeField, _) => ["rename = \"a\"", "rename(serialize = \"b\")"],
        (Form::SerdeSides, "serialize") => ["serialize = \"a\"", "serialize = \"b\""],
        (Form::SerdeSides, _) => ["deserialize = \"a\"", "deserialize = \"b\""],
        (Form::Input | Form::InputField, "input") => ["#[input(entity = A)]", "#[input()]"],
        (Form::Patch | Form::InputField, "patch") => {
            ["#[patch(entity = A, reads = D)]", "#[patch()]"]
        }
        (Form::Input | Form::Patch | Form::InputField, "preset") => {
            ["#[preset(a = 1111)]", "#[preset(b = 2222)]"]
        }
        (Form::Input | Form::Patch, "serde") => {
            ["#[serde()]", "#[serde(rename_all = \"UPPERCASE\")]"]
        }
        (Form::Input | Form::Patch | Form::InputField, "garde") => ["#[garde(a)]", "#[garde(b)]"],
        (Form::Input | Form::Patch | Form::InputField, "writable") => {
            ["#[writable]", "#[writable(blind)]"]
        }
        (Form::Input | Form::Patch | Form::InputField, "writable_if") => {
            ["#[writable_if(row.a == 1)]", "#[writable_if(row.b == 2)]"]
        }
        (Form::Input | Form::Patch | Form::InputField, "unstored") => {
            ["#[unstored]", "#[unstored]"]
        }
        (Form::InputField, _) => ["#[serde()]", "#[serde(rename = \"b\")]"],
        (Form::PatchKeys, _) => ["reads = A", "reads = B"],
        (Form::Writable, "blind") => ["blind", "blind"],
        (Form::Writable, "any_row") => ["any_row, reason = \"a\"", "any_row"],
        (Form::Writable, _) => ["any_row, reason = \"a\"", "reason = \"b\""],
        (Form::ViewerField, _) => ["subject", "subject"],
        (Form::RolesVariant | Form::TextEnumVariant, _) => ["name = \"a\"", "name = \"b\""],
        (Form::ReleaseField, _) => ["#[release(crate = a)]", "#[release(crate = b)]"],
        (Form::RuleFunction, _) => ["#[rule]", "#[clearance::rule]"],
        (Form::Method, "authenticated") => [
            "#[authenticated(access)]",
            "#[authenticated(access: Write)]",
        ],
        (Form::Method, "authorize") => ["#[authorize(access, if a)]", "#[authorize(access, if b)]"],
        (Form::Method, "public") => [
            "#[public(access, reason = \"a\")]",
            "#[public(access, reason = \"b\")]",
        ],
        (Form::Method, _) => ["#[memo]", "#[clearance::memo]"],
        (Form::Authorize, _) => ["if viewer.a", "if viewer.b || viewer.c"],
        _ => panic!("say what `{key}` of {form:?} looks like"),
    }
}

/// The attributes that say `statements` in that place, all in one or each by itself.
fn said(form: Form, statements: &[&str], together: bool) -> String {
    let within = |open: &str, close: &str| {
        if together {
            format!("{open}{}{close}\n", statements.join(",\n"))
        } else {
            let each = statements.iter().map(|it| format!("{open}{it}{close}\n"));
            each.collect()
        }
    };
    match form {
        _ if form.is_of_attributes() => within("", "").replace(",\n", "\n"),
        Form::Entity | Form::EntityField => within("#[entity(", ")]"),
        Form::DtoKeys | Form::DtoFieldKeys => within("#[dto(", ")]"),
        Form::Serde | Form::SerdeField => within("#[serde(", ")]"),
        Form::SerdeSides => format!("#[serde(rename({}))]\n", statements.join(",\n")),
        Form::InputKeys => within("#[input(", ")]"),
        Form::PatchKeys => within("#[patch(", ")]"),
        Form::Viewer | Form::ViewerField => within("#[viewer(", ")]"),
        Form::Roles | Form::RolesVariant => within("#[roles(", ")]"),
        Form::TextEnum | Form::TextEnumVariant => within("#[text_enum(", ")]"),
        Form::Release => within("#[release(", ")]"),
        Form::Writable => format!("#[writable({})]\n", statements.join(",\n")),
        Form::Authorize => format!("#[authorize(access, {})]\n", statements.join(",\n")),
        Form::Public => format!("#[public(access, {})]\n", statements.join(",\n")),
        _ => statements.join(",\n"),
    }
}

/// Returns the source that the macro is given, and the code that it emits.
fn expanded(form: Form, key: &str, said: &str) -> (String, TokenStream) {
    let but = |keys: &[&str], text: &'static str| if keys.contains(&key) { "" } else { text };
    let source = match form {
        Form::Entity => format!(
            "{said}{}{}{} struct T {{ #[entity(key)] id: i64 }}",
            but(&["table"], "#[entity(table = \"t\")]"),
            but(&["viewer"], "#[entity(viewer = V)]"),
            but(
                &["rows", "reason", "read_if", "read_unless"],
                "#[entity(rows = open, reason = \"r\")]"
            ),
        ),
        Form::EntityField => format!(
            "#[entity(table = \"t\", viewer = V, rows = open, reason = \"r\")]
            struct T {{ #[entity(key)] id: i64,\n{said} name: String }}"
        ),
        Form::Dto | Form::DtoKeys | Form::Serde => format!(
            "{said}{}{} struct T {{ id: i64 }}",
            but(&["entity", "dto"], "#[dto(entity = E)]"),
            but(&["default", "dto"], "#[dto(default = visible)]"),
        ),
        Form::DtoField | Form::DtoFieldKeys | Form::SerdeField | Form::SerdeSides => {
            let rule = match key {
                "dto" | "hidden" | "mask" | "mask_in_process" => "#[visible_if(row.c == 3)]",
                _ => "",
            };
            format!(
                "#[dto(entity = E, default = visible)] struct T {{\n{said}{rule} id: Option<i64> }}"
            )
        }
        Form::Input | Form::InputKeys => format!(
            "{said}{} struct T {{ #[writable] id: i64 }}",
            but(&["entity", "input"], "#[input(entity = E)]"),
        ),
        Form::Patch | Form::PatchKeys => format!(
            "{said}{}{} struct T {{ #[writable] id: i64 }}",
            but(&["entity", "patch"], "#[patch(entity = E)]"),
            but(&["reads", "patch"], "#[patch(reads = D)]"),
        ),
        Form::InputField | Form::Writable => format!(
            "#[patch(entity = E, reads = D)] struct T {{\n{said}{} id: i64 }}",
            but(
                &[
                    "writable",
                    "writable_if",
                    "unstored",
                    "blind",
                    "any_row",
                    "reason"
                ],
                "#[writable]"
            ),
        ),
        Form::Viewer => format!("{said} struct T {{ id: i64 }}"),
        Form::ViewerField => format!("struct T {{\n{said} number: i64 }}"),
        Form::Roles | Form::TextEnum => format!("{said} enum T {{ A }}"),
        Form::RolesVariant | Form::TextEnumVariant => format!("enum T {{\n{said} A }}"),
        Form::Release => format!("{said} struct T {{ id: i64 }}"),
        Form::ReleaseField => format!("struct T {{\n{said} id: i64 }}"),
        Form::Rule | Form::Repository => said.to_owned(),
        Form::RuleFunction => {
            // The first of them is the one that is expanded.
            let rest = said.split_once('\n').map_or(said, |(_, rest)| rest);
            format!("\n{rest} fn can(viewer: &V, row: &E) -> bool {{ row.c == 3 }}")
        }
        Form::Method | Form::Authenticated | Form::Authorize | Form::Public => format!(
            "impl T {{\n{said}{} async fn f(&self) -> Result<()> {{ Ok(()) }} }}",
            but(
                &["authenticated", "authorize", "public", "if", "reason"],
                "#[authenticated(access)]"
            ),
        ),
    };
    let tokens: TokenStream = source.parse().expect("tokens");
    let item = |text: &str| text.parse::<TokenStream>().expect("tokens");
    let code = match form {
        Form::Entity | Form::EntityField => expand::entity(tokens),
        Form::Dto
        | Form::DtoKeys
        | Form::Serde
        | Form::DtoField
        | Form::DtoFieldKeys
        | Form::SerdeField
        | Form::SerdeSides => expand::dto(tokens),
        Form::Input | Form::InputKeys => expand::incoming(tokens, Derive::Input),
        Form::Patch | Form::PatchKeys | Form::InputField | Form::Writable => {
            expand::incoming(tokens, Derive::Patch)
        }
        Form::Viewer | Form::ViewerField => expand::viewer(tokens),
        Form::Roles | Form::RolesVariant => expand::roles(tokens),
        Form::TextEnum | Form::TextEnumVariant => expand::text_enum(tokens),
        Form::Release | Form::ReleaseField => expand::release(tokens),
        Form::Rule => expand::rule(
            tokens,
            item("fn can(viewer: &V, row: &E) -> bool { row.c == 3 }"),
        ),
        Form::RuleFunction => expand::rule(TokenStream::new(), tokens),
        Form::Repository => expand::repository(
            tokens,
            item("impl T { #[authenticated(access)] async fn f(&self) -> Result<()> { Ok(()) } }"),
        ),
        Form::Method | Form::Authenticated | Form::Authorize | Form::Public => {
            expand::repository(item("viewer = V"), tokens)
        }
    };
    (source, code)
}

/// Each error, and the line that it points at.
fn errors(code: &TokenStream) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut line = None;
    for token in code.clone() {
        match token {
            TokenTree::Ident(ident) if ident == "compile_error" => {
                line = Some(ident.span().start().line);
            }
            TokenTree::Group(group) => match line.take() {
                Some(line) => found.push((line, group.stream().to_string())),
                None => found.extend(errors(&group.stream())),
            },
            _ => {}
        }
    }
    found
}

/// Returns the text that the code holds where a statement counts.
fn trace(statement: &str) -> Option<&'static str> {
    [
        ("row.a == 1", "row.a == 1"),
        ("row.b == 2", "row.b == 2"),
        ("(one: A", "\"one\""),
        ("(two: B", "\"two\""),
        ("1111", "1111"),
        ("2222", "2222"),
        ("if viewer", "viewer.a && (viewer.b || viewer.c)"),
    ]
    .into_iter()
    .find(|(said, _)| statement.contains(said))
    .map(|(_, trace)| trace)
}

#[test]
fn t_21_each_key_that_stands_twice_is_joined_or_refused_at_the_second() {
    let mut keys = 0;
    for form in Form::ALL {
        for (key, stands) in form.keys() {
            keys += 1;
            let statements = statements(*form, key);
            for together in [true, false] {
                let case = format!("{form:?}, `{key}`, {stands:?}, {together}");
                let (_, once) = expanded(*form, key, &said(*form, &statements[..1], together));
                let (source, twice) = expanded(*form, key, &said(*form, &statements, together));
                let told = |code: &TokenStream, what: &str| {
                    let mut told = errors(code);
                    told.retain(|(_, message)| message.contains(what));
                    told
                };
                match stands {
                    Stands::Once => {
                        assert!(told(&once, "is stated twice").is_empty(), "{case}");
                        let told = told(&twice, "is stated twice");
                        let second = source.rfind(statements[1]).expect("it stands there");
                        let line = source[..second].matches('\n').count() + 1;
                        assert_eq!(told.len(), 1, "{case}: {:?}", errors(&twice));
                        assert_eq!(told[0].0, line, "{case}: {source}");
                    }
                    Stands::Joined => {
                        assert_eq!(errors(&twice), [], "{case}: {source}");
                        let code = twice.to_string();
                        for statement in statements {
                            let trace = trace(statement);
                            assert!(trace.is_none_or(|it| code.contains(it)), "{case}: {code}");
                        }
                    }
                    Stands::Elsewhere(_) => {
                        assert_eq!(told(&once, "has no effect here").len(), 1, "{case}");
                    }
                }
            }
        }
    }
    assert!(keys > 80, "{keys} keys are known");
}

#[test]
fn t_21_what_has_no_key_of_its_own_is_refused_twice_too() {
    for said in [
        "#[preset(a = 1, a = 2)]",
        "#[preset(a = 1)] #[preset(r#a = 2)]",
    ] {
        let (_, code) = expanded(Form::Input, "preset", said);
        let errors = errors(&code);
        assert!(
            errors.iter().any(|(_, it)| it.contains("is preset twice")),
            "{errors:?}"
        );
    }
    for said in [
        "#[entity(belongs_to(a: A, by = id, by = id))]",
        "#[entity(has_many(a: A, by = id), has_many(a: B, by = id))]",
    ] {
        let (_, code) = expanded(Form::Entity, "", said);
        assert!(!errors(&code).is_empty(), "{said}");
    }
    let said = "#[authenticated(access)] #[public(access, reason = \"a\")]";
    let (_, code) = expanded(Form::Method, "public", said);
    assert!(errors(&code)[0].1.contains("one policy"));
}

#[test]
fn every_form_is_listed() {
    for (index, form) in Form::ALL.iter().enumerate() {
        assert_eq!(*form as usize, index);
    }
    assert_eq!(Form::ALL.len(), Form::Public as usize + 1);
}
