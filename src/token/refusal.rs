//! The reasons for which a token is refused.

/// The reason for which a token was refused; one word for the event, and hidden from the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenRefusal {
    TooLong,
    Shape,
    Encoding,
    Header,
    UnknownKey,
    Authentication,
    Claims,
    Audience,
    NotYet,
    Expired,
}

impl TokenRefusal {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Shape => "shape",
            Self::Encoding => "encoding",
            Self::Header => "header",
            Self::UnknownKey => "unknown_key",
            Self::Authentication => "authentication",
            Self::Claims => "claims",
            Self::Audience => "audience",
            Self::NotYet => "not_yet",
            Self::Expired => "expired",
        }
    }
}
