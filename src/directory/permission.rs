//! What a user may do in Paradigm. SCIM never changes permissions, and ignores `roles` here.

/// A permission a user can hold in their company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// May create, change and remove the company's users; needed by the owner of a SCIM key.
    UsersManage,
}

impl Permission {
    /// Returns the permission's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UsersManage => "users:manage",
        }
    }

    /// Reads a permission's name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        (name == Self::UsersManage.as_str()).then_some(Self::UsersManage)
    }
}
