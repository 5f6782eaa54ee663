//! Groups of an identity provider, and who passes for being in them.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::session::SessionClaims;
use crate::session::token::ClaimValue;

/// That somebody is in a group, as an identity provider tells of it: the group has an id, and perhaps a name for people.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Membership {
    id: String,
    name: Option<String>,
}

impl Membership {
    /// In the group of this id.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: None,
        }
    }

    /// The same under a name, too.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The id of the group.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name of the group, where it has one beside the id.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The id and the name.
    fn texts(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.id()).chain(self.name())
    }

    /// Text, or an object with an `id` and perhaps a `name`.
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
/// At sign-in an application takes them from the claim of its identity provider and notes them in
/// the session. [`Verified::groups`](crate::Verified::groups) has them from then on, and a
/// [`GroupRule`] decides by them. They stay as they were noted until the next sign-in: what must hold
/// sooner belongs to the viewer, which is loaded anew.
///
/// # Example
///
/// ```
/// use clearance::route::{GroupRule, Groups};
/// use clearance::session::SignIn;
/// use clearance::Subject;
///
/// // As the identity provider sent it.
/// let claim = serde_json::json!(["press", { "id": "g-17", "name": "Research" }]);
/// let groups = Groups::from_json(&claim)?;
/// let sign_in = SignIn::new(Subject::new("ada")).claim("groups", groups.to_claim())?;
/// # let _ = sign_in;
///
/// assert!(GroupRule::any_of(["Research", "Board"])?.allows(&groups));
/// assert!(GroupRule::all_of(["g-17", "press"])?.allows(&groups));
/// assert!(!GroupRule::all_of(["Research", "Board"])?.allows(&groups));
/// # Ok::<(), clearance::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    groups: Vec<Membership>,
}

impl Groups {
    /// The claim that groups are noted under unless
    /// [`SessionsBuilder::groups_claim`](crate::session::SessionsBuilder::groups_claim) says another.
    pub(crate) const CLAIM: &str = "groups";

    /// Those of a claim as an identity provider wrote it: a list of texts, or of objects with an `id`
    /// and perhaps a `name`. Other members of such an object are not read.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] when it is no list, or anything else is in it: an empty text, a number,
    /// an object without an `id`. A claim that is not understood is never no group.
    pub fn from_json(claim: &Value) -> Result<Self> {
        let items = claim.as_array().ok_or_else(Error::invalid)?;
        let groups = items
            .iter()
            .map(|item| Membership::from_json(item).ok_or_else(Error::invalid));
        Ok(Self {
            groups: groups.collect::<Result<_>>()?,
        })
    }

    /// Those that were noted in a session under this name. Where nothing was, or no list of text,
    /// there are none, and no rule allows anything.
    #[must_use]
    pub fn from_claims(claims: &SessionClaims, claim: &str) -> Self {
        let list = claims.get(claim).and_then(ClaimValue::as_text_list);
        list.into_iter().flatten().cloned().collect()
    }

    /// To be noted in a session: the ids and names in one list, each once.
    ///
    /// Every [`GroupRule`] decides by it as by the groups themselves. Which name belongs to which id
    /// is not kept, so each text is a group of its own when it is read again.
    #[must_use]
    pub fn to_claim(&self) -> ClaimValue {
        let mut texts: Vec<String> = Vec::new();
        for text in self.groups.iter().flat_map(Membership::texts) {
            if !texts.iter().any(|known| known == text) {
                texts.push(text.to_owned());
            }
        }
        ClaimValue::TextList(texts)
    }

    /// Whether a group of this id or name is among them: byte for byte, so `Admins` is not `admins`.
    #[must_use]
    pub fn contains(&self, id_or_name: &str) -> bool {
        let mut texts = self.groups.iter().flat_map(Membership::texts);
        texts.any(|text| text == id_or_name)
    }

    /// Each of them, in the order in which they came.
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

/// Which groups a viewer must be in: any of some, or all of them.
///
/// Each is named by its id or its name. Where people may name groups as they like, write ids, and see
/// to it that nobody can call a group by the id of another.
///
/// It is a plain value and asks nobody, so it can be used wherever there are [`Groups`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRule {
    required: Required,
    groups: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Required {
    Any,
    All,
}

impl GroupRule {
    /// Allows whoever is in one of these groups at least.
    ///
    /// # Errors
    ///
    /// [`Error::is_misuse`] when there are none, or one has neither id nor name, which is the empty
    /// text.
    pub fn any_of(groups: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        Self::new(Required::Any, groups)
    }

    /// Allows whoever is in each of these groups.
    ///
    /// # Errors
    ///
    /// As [`GroupRule::any_of`]: a rule that requires nothing would allow everybody.
    pub fn all_of(groups: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        Self::new(Required::All, groups)
    }

    fn new(
        required: Required,
        groups: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self> {
        let groups: Vec<String> = groups.into_iter().map(Into::into).collect();
        if groups.is_empty() || groups.iter().any(String::is_empty) {
            return Err(Error::misuse(
                "a rule over groups names one group at least, and none by an empty text",
            ));
        }
        Ok(Self { required, groups })
    }

    /// Whether somebody in these groups may.
    #[must_use]
    pub fn allows(&self, groups: &Groups) -> bool {
        let mut required = self.groups.iter();
        match self.required {
            Required::Any => required.any(|group| groups.contains(group)),
            Required::All => required.all(|group| groups.contains(group)),
        }
    }
}
