//! stub
#[derive(Debug)]
pub struct RawHead {
    pub method: Vec<u8>,
    pub target: Vec<u8>,
    pub version: Vec<u8>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
}
pub fn check_http2(_: &http::request::Parts) -> Result<(), ()> {
    Ok(())
}
