//! The examples do what they say.

#[path = "../examples/attention.rs"]
#[expect(dead_code, reason = "the example's main function")]
mod attention;

#[test]
fn the_attention_example_classifies_a_photo() {
    let photo = concat!(env!("CARGO_MANIFEST_DIR"), "/www/public/gallery/koala.jpg");
    let text = pollster::block_on(attention::look(photo)).expect("an analysis");
    assert!(text.contains("at 1×: ") && text.contains("at 2×: "), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("  SK_")).count(), 32, "{text}");
}
