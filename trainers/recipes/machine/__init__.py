"""An autoencoder over many machine types."""
