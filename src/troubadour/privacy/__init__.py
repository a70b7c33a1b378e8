"""A listener's rights: data export and erasure."""
