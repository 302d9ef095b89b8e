"""What a chat cell and an embed cell do and show."""
