"""Parts of networks: tokens, masks and transformer blocks. Small, pure, documented with shapes."""
