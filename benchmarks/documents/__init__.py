"""Parts of the documentation that commands write: the page of settings, pictures of the method."""
