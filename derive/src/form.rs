//! The keys of every attribute, with the meaning of a second one on the same item.
//!
//! INVARIANT (heeded): every attribute is parsed through [`Keys`](crate::attribute::Keys) over one of
//! these forms, so that nothing that was written is silently ignored.

/// The number of times that a key may occur on one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stands {
    /// A second one is refused.
    Once,
    /// Each one counts: rules must all hold, and some declarations may be repeated.
    Joined,
    /// It means nothing here, and the text says where it does.
    Elsewhere(&'static str),
}

use Stands::{Elsewhere, Joined, Once};

/// A place that takes keys: an attribute, or an item that takes attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `#[entity(..)]` on a struct.
    Entity,
    /// `#[entity(..)]` on a field.
    EntityField,
    /// The attributes of a DTO.
    Dto,
    /// `#[dto(..)]` on a struct.
    DtoKeys,
    /// The attributes of a DTO's field.
    DtoField,
    /// `#[dto(..)]` on a field.
    DtoFieldKeys,
    /// `#[serde(..)]` on a struct.
    Serde,
    /// `#[serde(..)]` on a field.
    SerdeField,
    /// `#[serde(rename(..))]`
    SerdeSides,
    /// The attributes of an input type.
    Input,
    /// `#[input(..)]`
    InputKeys,
    /// The attributes of a patch type.
    Patch,
    /// `#[patch(..)]`
    PatchKeys,
    /// The attributes of a field of either.
    InputField,
    /// `#[writable(..)]`
    Writable,
    /// `#[viewer(..)]` on a struct.
    Viewer,
    /// `#[viewer(..)]` on a field.
    ViewerField,
    /// `#[roles(..)]` on an enum.
    Roles,
    /// `#[roles(..)]` on a variant.
    RolesVariant,
    /// `#[text_enum(..)]` on an enum.
    TextEnum,
    /// `#[text_enum(..)]` on a variant.
    TextEnumVariant,
    /// `#[release(..)]`
    Release,
    /// The attributes of a field of a type under `derive(Release)`.
    ReleaseField,
    /// `#[rule(..)]`
    Rule,
    /// The attributes of a named rule.
    RuleFunction,
    /// `#[repository(..)]`
    Repository,
    /// The attributes of a method of a repository.
    Method,
    /// `#[authenticated(..)]`, after the access.
    Authenticated,
    /// `#[authorize(..)]`, after the access.
    Authorize,
    /// `#[public(..)]`, after the access.
    Public,
}

/// A key, with the number of times that it may occur there.
pub(crate) type Key = (&'static str, Stands);

impl Form {
    #[cfg(test)]
    pub(crate) const ALL: &'static [Self] = &[
        Self::Entity,
        Self::EntityField,
        Self::Dto,
        Self::DtoKeys,
        Self::DtoField,
        Self::DtoFieldKeys,
        Self::Serde,
        Self::SerdeField,
        Self::SerdeSides,
        Self::Input,
        Self::InputKeys,
        Self::Patch,
        Self::PatchKeys,
        Self::InputField,
        Self::Writable,
        Self::Viewer,
        Self::ViewerField,
        Self::Roles,
        Self::RolesVariant,
        Self::TextEnum,
        Self::TextEnumVariant,
        Self::Release,
        Self::ReleaseField,
        Self::Rule,
        Self::RuleFunction,
        Self::Repository,
        Self::Method,
        Self::Authenticated,
        Self::Authorize,
        Self::Public,
    ];

    /// Returns whether its keys are attributes themselves.
    pub(crate) const fn is_of_attributes(self) -> bool {
        match self {
            Self::Dto
            | Self::DtoField
            | Self::Input
            | Self::Patch
            | Self::InputField
            | Self::ReleaseField
            | Self::RuleFunction
            | Self::Method => true,
            Self::Entity
            | Self::EntityField
            | Self::DtoKeys
            | Self::DtoFieldKeys
            | Self::Serde
            | Self::SerdeField
            | Self::SerdeSides
            | Self::InputKeys
            | Self::PatchKeys
            | Self::Writable
            | Self::Viewer
            | Self::ViewerField
            | Self::Roles
            | Self::RolesVariant
            | Self::TextEnum
            | Self::TextEnumVariant
            | Self::Release
            | Self::Rule
            | Self::Repository
            | Self::Authenticated
            | Self::Authorize
            | Self::Public => false,
        }
    }

    /// Returns the name of the attribute in messages.
    pub(crate) const fn shown(self) -> &'static str {
        match self {
            Self::Entity | Self::EntityField => "#[entity(..)]",
            Self::Dto | Self::DtoField | Self::DtoKeys | Self::DtoFieldKeys => "#[dto(..)]",
            Self::Serde | Self::SerdeField => "#[serde(..)]",
            Self::SerdeSides => "#[serde(rename(..))]",
            Self::Input | Self::InputKeys | Self::InputField => "#[input(..)]",
            Self::Patch | Self::PatchKeys => "#[patch(..)]",
            Self::Writable => "#[writable(..)]",
            Self::Viewer | Self::ViewerField => "#[viewer(..)]",
            Self::Roles | Self::RolesVariant => "#[roles(..)]",
            Self::TextEnum | Self::TextEnumVariant => "#[text_enum(..)]",
            Self::Release | Self::ReleaseField => "#[release(..)]",
            Self::Rule | Self::RuleFunction => "#[rule(..)]",
            Self::Repository | Self::Method => "#[repository(..)]",
            Self::Authenticated => "#[authenticated(..)]",
            Self::Authorize => "#[authorize(..)]",
            Self::Public => "#[public(..)]",
        }
    }

    /// Returns the keys that may stand there.
    pub(crate) const fn keys(self) -> &'static [Key] {
        const ON_A_FIELD: Stands = Elsewhere("use it on a field");
        const ON_THE_STRUCT: Stands = Elsewhere("use it on the struct");
        match self {
            Self::Entity => &[
                ("table", Once),
                ("viewer", Once),
                ("rows", Once),
                ("reason", Once),
                ("viewer_of", Once),
                ("belongs_to", Joined),
                ("has_many", Joined),
                ("tenant_if", Joined),
                ("read_if", Joined),
                ("read_unless", Joined),
                ("create_if", Joined),
                ("create_unless", Joined),
                ("update_if", Joined),
                ("update_unless", Joined),
                ("updated_if", Joined),
                ("updated_unless", Joined),
                ("delete_if", Joined),
                ("delete_unless", Joined),
                ("crate", Once),
            ],
            Self::EntityField => &[
                ("key", Once),
                ("lookup", Once),
                ("column", Once),
                ("filter_if", Joined),
                ("filter_unless", Joined),
            ],
            Self::Dto => &[
                ("dto", Joined),
                ("serde", Joined),
                ("derive", Joined),
                ("visible", ON_A_FIELD),
                ("visible_if", ON_A_FIELD),
                ("hidden_if", ON_A_FIELD),
            ],
            Self::DtoKeys => &[("entity", Once), ("default", Once), ("crate", Once)],
            Self::DtoField => &[
                ("dto", Joined),
                ("serde", Joined),
                ("visible", Once),
                ("visible_if", Joined),
                ("hidden_if", Joined),
            ],
            Self::DtoFieldKeys => &[
                ("hidden", Once),
                ("mask", Once),
                ("mask_in_process", Once),
                ("related", Once),
                ("computed", Once),
                ("from", Once),
            ],
            Self::Serde => &[("rename_all", Once)],
            Self::SerdeField => &[("rename", Once)],
            Self::SerdeSides => &[("serialize", Once), ("deserialize", Once)],
            Self::Input => &[
                ("input", Joined),
                ("preset", Joined),
                ("serde", Joined),
                ("garde", Joined),
                ("writable", ON_A_FIELD),
                ("writable_if", ON_A_FIELD),
                ("unstored", ON_A_FIELD),
            ],
            Self::InputKeys => &[("entity", Once), ("crate", Once)],
            Self::Patch => &[
                ("patch", Joined),
                ("preset", Joined),
                ("serde", Joined),
                ("garde", Joined),
                ("writable", ON_A_FIELD),
                ("writable_if", ON_A_FIELD),
                ("unstored", ON_A_FIELD),
            ],
            Self::PatchKeys => &[("entity", Once), ("reads", Once), ("crate", Once)],
            Self::InputField => &[
                ("writable", Once),
                ("writable_if", Joined),
                ("unstored", Once),
                ("serde", Joined),
                ("garde", Joined),
                ("input", ON_THE_STRUCT),
                ("patch", ON_THE_STRUCT),
                ("preset", ON_THE_STRUCT),
            ],
            Self::Writable => &[("blind", Once), ("any_row", Once), ("reason", Once)],
            Self::ViewerField => &[("subject", Once)],
            Self::RolesVariant | Self::TextEnumVariant => &[("name", Once)],
            Self::ReleaseField => &[("release", Elsewhere("use it on the struct or enum"))],
            Self::Viewer | Self::Roles | Self::TextEnum | Self::Release | Self::Rule => {
                &[("crate", Once)]
            }
            Self::RuleFunction => &[("rule", Once)],
            Self::Repository => &[("viewer", Once), ("crate", Once)],
            Self::Method => &[
                ("authenticated", Once),
                ("authorize", Once),
                ("public", Once),
                ("memo", Once),
            ],
            Self::Authenticated => &[],
            Self::Authorize => &[("if", Joined)],
            Self::Public => &[("reason", Once)],
        }
    }

    /// Returns the names of the keys.
    pub(crate) fn names(self) -> Vec<&'static str> {
        self.keys().iter().map(|(name, _)| *name).collect()
    }
}

#[cfg(test)]
mod tests;
