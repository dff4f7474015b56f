//! The durable queue between a coordinator and its processors, over HTTP.
