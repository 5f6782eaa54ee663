//! Groups of an identity provider, and rules over a viewer's groups.

use std::collections::HashSet;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::token::ClaimValue;
use crate::token::SessionClaims;

/// A membership in a group, as an identity provider states it: the id of the group, and perhaps a name for
/// people.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Membership {
    id: String,
    name: Option<String>,
}

impl Membership {
    /// Builds a membership in the group with this id.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: None,
        }
    }

    /// Adds the name of the group.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Returns the id of the group.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the name of the group, where it has one beside the id.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Parses text, or an object with an `id` and perhaps a `name`.
    fn from_json(value: &Value) -> Option<Self> {
        let text = |value: &Value| {
            let text = value.as_str().filter(|text| !text.is_empty());
            text.map(str::to_owned)
        };
        let Value::Object(members) = value else {
            return text(value).map(Self::new);
        };
        let id = text(members.get("id")?)?;
        let name = match members.get("name") {
            None | Some(Value::Null) => None,
            Some(name) => Some(text(name)?),
        };
        Some(Self { id, name })
    }
}

impl From<&str> for Membership {
    fn from(id: &str) -> Self {
        Self::new(id)
    }
}

impl From<String> for Membership {
    fn from(id: String) -> Self {
        Self::new(id)
    }
}

/// The groups that a viewer is in.
///
/// At sign-in an application takes them from the claim of its identity provider and notes them in the
/// session. [`Verified::groups`](crate::Verified::groups) returns them from then on, and a [`GroupRule`]
/// decides by them. They do not change until the next sign-in: a permission that must change sooner belongs
/// to the viewer, which is reloaded.
///
/// # Example
///
/// ```
/// use clearance::route::{GroupKey, GroupRule, Groups};
/// use clearance::session::SignIn;
/// use clearance::Subject;
///
/// // As the identity provider sent it.
/// let claim = serde_json::json!(["press", { "id": "g-17", "name": "Research" }]);
/// let groups = Groups::from_json(&claim)?;
/// let sign_in = SignIn::new(Subject::new("ada")).claim("groups", groups.to_claim())?;
/// # let _ = sign_in;
///
/// assert!(GroupRule::any_of(["g-17", "g-4"])?.allows(&groups));
/// assert!(GroupRule::all_of(["g-17", "press"])?.allows(&groups));
/// assert!(!GroupRule::any_of(["Research"])?.allows(&groups), "there is no such id");
/// assert!(GroupRule::any_of([GroupKey::name("Research")])?.allows(&groups));
/// # Ok::<(), clearance::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    groups: Vec<Membership>,
}

impl Groups {
    /// The default name of the claim that stores a session's groups; see
    /// [`SessionsBuilder::groups_claim`](crate::session::SessionsBuilder::groups_claim).
    pub(crate) const CLAIM: &str = "groups";

    /// Parses the claim of an identity provider: a list of texts, or of objects with an `id` and perhaps a
    /// `name`. Other members of such an object are ignored.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] when it is no list, or has another element: an empty text, a number, an object
    /// without an `id`. An unknown claim is never read as no groups.
    pub fn from_json(claim: &Value) -> Result<Self> {
        let items = claim.as_array().ok_or_else(Error::invalid)?;
        let groups = items
            .iter()
            .map(|item| Membership::from_json(item).ok_or_else(Error::invalid));
        Ok(Self {
            groups: groups.collect::<Result<_>>()?,
        })
    }

    /// Reads the groups that a session's claim of this name stores, as written by
    /// [`to_claim`](Self::to_claim), or a plain list of ids. A missing claim, or one that is no list of text,
    /// gives no groups, and no rule allows anything.
    #[must_use]
    pub fn from_claims(claims: &SessionClaims, claim: &str) -> Self {
        let list = claims.get(claim).and_then(ClaimValue::as_text_list);
        let mut groups: Vec<Membership> = Vec::new();
        // A name is stored right after the id that it belongs to, and never alone.
        let mut nameless = false;
        for text in list.into_iter().flatten() {
            let noted = Noted::of(text);
            match (&noted, groups.last_mut()) {
                (Some(Noted::Id(id)), _) => groups.push(Membership::new(*id)),
                (Some(Noted::Name(name)), Some(group)) if nameless => {
                    group.name = Some((*name).to_owned());
                }
                (Some(Noted::Name(_)) | None, _) => {}
            }
            nameless = matches!(noted, Some(Noted::Id(_)));
        }
        Self { groups }
    }

    /// Builds the claim that stores the groups in a session: one list, in which each id is followed by the
    /// name of its group. [`from_claims`](Self::from_claims) reads the same groups from it, each once.
    #[must_use]
    pub fn to_claim(&self) -> ClaimValue {
        let mut seen = HashSet::new();
        let groups = self.groups.iter().filter(|group| seen.insert(*group));
        let texts = groups.flat_map(|group| {
            let name = group.name().map(|name| Noted::Name(name).to_text());
            std::iter::once(Noted::Id(group.id()).to_text()).chain(name)
        });
        ClaimValue::TextList(texts.collect())
    }

    /// Returns whether the group with this id is among them, compared byte by byte, so `Admins` is not
    /// `admins`. A group that only has this name does not count.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.groups.iter().any(|group| group.id() == id)
    }

    /// Returns whether a group with this name is among them, compared byte by byte. Anybody who may name a
    /// group can give it the name of another.
    #[must_use]
    pub fn contains_named(&self, name: &str) -> bool {
        self.groups.iter().any(|group| group.name() == Some(name))
    }

    /// Iterates over the groups, in their original order.
    pub fn iter(&self) -> impl Iterator<Item = &Membership> {
        self.groups.iter()
    }
}

impl<G: Into<Membership>> FromIterator<G> for Groups {
    fn from_iter<I: IntoIterator<Item = G>>(groups: I) -> Self {
        Self {
            groups: groups.into_iter().map(Into::into).collect(),
        }
    }
}

/// An id or a name in a session's list of groups.
///
/// People choose names, so each is marked, and no name reads as an id. An id from a provider's plain list is
/// stored as it is, unless it looks like a marked text.
enum Noted<'a> {
    Id(&'a str),
    Name(&'a str),
}

impl<'a> Noted<'a> {
    const MARK: char = '~';
    const ID: &'static str = "~i";
    const NAME: &'static str = "~n";

    /// Parses one text of the list. Any other text that begins with the mark is neither.
    fn of(text: &'a str) -> Option<Self> {
        if !text.starts_with(Self::MARK) {
            return Some(Self::Id(text)).filter(|_| !text.is_empty());
        }
        if let Some(name) = text.strip_prefix(Self::NAME) {
            return Some(Self::Name(name)).filter(|_| !name.is_empty());
        }
        // An id has one spelling: only an id that begins with the mark is marked.
        let id = text.strip_prefix(Self::ID);
        id.filter(|id| id.starts_with(Self::MARK)).map(Self::Id)
    }

    fn to_text(&self) -> String {
        match self {
            Self::Id(id) if id.starts_with(Self::MARK) => format!("{}{id}", Self::ID),
            Self::Id(id) => (*id).to_owned(),
            Self::Name(name) => format!("{}{name}", Self::NAME),
        }
    }
}

/// The key by which a rule names a group: its id, which its provider gives, or its name, which people do.
///
/// Plain text is an id. A group that only has this name does not satisfy a rule over an id, and a group with
/// this id does not satisfy one over a name. Where people may name groups as they like, write ids.
///
/// Exhaustive: a third variant would be one more way to get access.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GroupKey {
    /// The group with this id.
    Id(String),
    /// Any group with this name.
    Name(String),
}

impl GroupKey {
    /// Builds the key of the group with this id.
    #[must_use]
    pub fn id(id: impl Into<String>) -> Self {
        Self::Id(id.into())
    }

    /// Builds the key of any group with this name.
    #[must_use]
    pub fn name(name: impl Into<String>) -> Self {
        Self::Name(name.into())
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Id(text) | Self::Name(text) => text.is_empty(),
        }
    }

    fn is_among(&self, groups: &Groups) -> bool {
        match self {
            Self::Id(id) => groups.contains(id),
            Self::Name(name) => groups.contains_named(name),
        }
    }
}

impl From<&str> for GroupKey {
    fn from(id: &str) -> Self {
        Self::id(id)
    }
}

impl From<String> for GroupKey {
    fn from(id: String) -> Self {
        Self::id(id)
    }
}

/// A rule over the groups of a viewer: any of some, or all of them, each by its [key](GroupKey).
///
/// It is a plain value that queries nothing, so it can be used wherever there are [`Groups`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRule {
    required: Required,
    groups: Vec<GroupKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Required {
    Any,
    All,
}

impl GroupRule {
    /// Builds a rule that allows viewers who are in at least one of these groups.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`] when there are none, or the id or name of one is the empty text.
    pub fn any_of(groups: impl IntoIterator<Item = impl Into<GroupKey>>) -> Result<Self> {
        Self::new(Required::Any, groups)
    }

    /// Builds a rule that allows viewers who are in each of these groups.
    ///
    /// # Errors
    ///
    /// As [`GroupRule::any_of`]: a rule that requires nothing would allow everybody.
    pub fn all_of(groups: impl IntoIterator<Item = impl Into<GroupKey>>) -> Result<Self> {
        Self::new(Required::All, groups)
    }

    fn new(
        required: Required,
        groups: impl IntoIterator<Item = impl Into<GroupKey>>,
    ) -> Result<Self> {
        let groups: Vec<GroupKey> = groups.into_iter().map(Into::into).collect();
        if groups.is_empty() || groups.iter().any(GroupKey::is_empty) {
            return Err(Error::misuse(
                "a rule over groups must name at least one group, and none may be empty",
            ));
        }
        Ok(Self { required, groups })
    }

    /// Returns whether the rule allows a viewer with these groups.
    #[must_use]
    pub fn allows(&self, groups: &Groups) -> bool {
        let mut required = self.groups.iter();
        match self.required {
            Required::Any => required.any(|group| group.is_among(groups)),
            Required::All => required.all(|group| group.is_among(groups)),
        }
    }
}
