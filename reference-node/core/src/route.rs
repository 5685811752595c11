//! Who serves the keys of a command: this node, another one, or nobody.
