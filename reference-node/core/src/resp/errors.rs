//! All error texts that leave the node, one table. (in work)
