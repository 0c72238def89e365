//! Names of tensors as wrappers around a model change them.

use std::collections::BTreeMap;

/// What `DataParallel`, `torch.compile` and training frameworks put in front of every name.
const WRAPPERS: [&str; 3] = ["module.", "_orig_mod.", "model."];

/// Whether `name` counts training steps, which no network reads.
pub(super) fn is_counter(name: &str) -> bool {
    name.ends_with("num_batches_tracked")
}

/// Takes off every prefix of a wrapper that all names share.
pub(super) fn without_wrappers<T>(mut tensors: BTreeMap<String, T>) -> BTreeMap<String, T> {
    let shared = |tensors: &BTreeMap<String, T>| {
        let found = WRAPPERS.into_iter().find(|prefix| tensors.keys().all(|name| name.starts_with(prefix)));
        found.filter(|_| !tensors.is_empty())
    };
    while let Some(prefix) = shared(&tensors) {
        // Collecting would bring another sort into the browser's module.
        let mut bare = BTreeMap::new();
        for (name, tensor) in tensors {
            bare.insert(name[prefix.len()..].to_string(), tensor);
        }
        tensors = bare;
    }
    tensors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_are_taken_off_where_all_names_have_them() {
        let names = |given: &[&str]| -> Vec<String> {
            without_wrappers(given.iter().map(|n| (n.to_string(), ())).collect()).into_keys().collect()
        };
        assert_eq!(names(&["module._orig_mod.fc.bias", "module._orig_mod.fc.weight"]), ["fc.bias", "fc.weight"]);
        assert_eq!(names(&["module.fc.bias", "n_averaged"]), ["module.fc.bias", "n_averaged"]);
        assert!(names(&[]).is_empty());
    }
}
