//! What the fence's types refuse must not compile.

#[test]
fn ways_around_the_fence_do_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/structure/compile_fail/*.rs");
}
