//! Every step of every plan here says why it is there, in words of its own.
use crate::plan_of::Case;
